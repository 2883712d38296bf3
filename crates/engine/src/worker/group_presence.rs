//! Leaves the consumer group while the checkpoint store does not answer this worker, and joins it again afterwards.
//!
//! A worker that cannot open a partition is of no use to its group: another instance may reach the store. The group then
//! assigns the partitions to others.
//! Owns: when the worker leaves and joins. Does not own: the membership (the source), the openings
//! (`partition_openings`).
//! Invariants: (1) A worker with an open partition never leaves. If the store is unreachable for all instances, the
//! partitions that are already open are processed further. (2) A worker that has left opens no partition.

use std::time::Duration;

use super::membership_state::MembershipState;
use super::partition_phase::{PartitionPhase, TrackedPartition};
use super::state::Worker;
use crate::checkpoint::StoreProbe;
use crate::source::GroupDeparture;
use crate::{DeadLetterSink, Halt, Partition, Sink, Source};

/// The time without an answer of the checkpoint store after which a worker without open partitions leaves the group. It is
/// longer than a failed request and its repetitions take at a store that answers slowly, and shorter than the group's
/// session timeout: a worker that cannot open partitions should hold them no longer than one that has crashed.
const MAX_STORE_SILENCE: Duration = Duration::from_secs(10);

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Returns whether the worker may begin to open partitions.
    pub(super) fn is_group_member(&self) -> bool {
        matches!(self.group_presence.state, MembershipState::Member { .. })
    }

    /// Leaves the group if the store does not answer, or joins it again if the store does.
    pub(super) fn update_group_presence(&mut self) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let waiting = self.find_partition_that_waits_for_store();
        let has_open_partition = self.partitions.values().any(|tracked| tracked.owned_partition().is_some());
        let Self { partition_opener: Some(opener), group_presence, partitions, source, .. } = self else {
            return Ok(());
        };
        match &mut group_presence.state {
            MembershipState::Left { partition, rejoin_at, store_probe } => {
                if store_probe.is_none() {
                    *store_probe = opener.start_store_probe(*partition);
                }
                let has_answered = store_probe.as_ref().is_some_and(StoreProbe::has_answered);
                // The group must have taken the partitions away before it assigns them again.
                if has_answered && now >= *rejoin_at && partitions.is_empty() && opener.has_free_thread() {
                    group_presence.state = MembershipState::Member { waiting_since: None };
                    source.rejoin_group()?;
                    self.event_recorder.record_group_rejoined();
                }
            }
            MembershipState::Member { waiting_since } => {
                if has_open_partition {
                    group_presence.absence.reset();
                }
                let Some(partition) = waiting else {
                    *waiting_since = None;
                    return Ok(());
                };
                let since = *waiting_since.get_or_insert(now);
                let silent_since = opener.last_store_answer().map_or(since, |at| at.max(since));
                if now.saturating_sub(silent_since) < MAX_STORE_SILENCE {
                    return Ok(());
                }
                match source.leave_group() {
                    GroupDeparture::Left => {
                        let rejoin_at = now + group_presence.absence.next_delay();
                        let store_probe = opener.start_store_probe(partition);
                        group_presence.state = MembershipState::Left { partition, rejoin_at, store_probe };
                        self.event_recorder.record_group_left(now.saturating_sub(silent_since));
                    }
                    GroupDeparture::Stayed => *waiting_since = Some(now),
                }
            }
        }
        Ok(())
    }

    /// Returns a partition that the store keeps from being opened; `None` if a partition is open, is being released or
    /// waits for the row store. The claim at the fence also calls the checkpoint store.
    fn find_partition_that_waits_for_store(&self) -> Option<Partition> {
        let waits = |tracked: &TrackedPartition| match tracked.phase() {
            PartitionPhase::Assigned { .. } | PartitionPhase::Opening { .. } => true,
            PartitionPhase::Claiming { opening, .. } => opening.waits_for_store(),
            _ => false,
        };
        let makes_progress = |tracked: &TrackedPartition| {
            let is_claiming = matches!(tracked.phase(), PartitionPhase::Claiming { .. });
            tracked.owned_partition().is_some() || (is_claiming && !waits(tracked))
        };
        if self.active_release.is_some() || self.partitions.values().any(makes_progress) {
            return None;
        }
        self.partitions.iter().find_map(|(&partition, tracked)| waits(tracked).then_some(partition))
    }
}

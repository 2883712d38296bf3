//! Leaves the consumer group while the checkpoint store does not answer this worker, and joins it again afterwards.
//!
//! A worker that cannot open a partition is of no use to its group: another instance may reach the store. The group then
//! assigns the partitions to others.
//! Owns: when the worker leaves and joins. Does not own: the membership (the source), the openings
//! (`partition_openings`).
//! Invariants: (1) A worker with an open partition never leaves. If the store is unreachable for all instances, the
//! partitions that are already open are processed further. (2) A worker that has left opens no partition.

use std::time::Duration;

use super::partition_phase::{PartitionPhase, TrackedPartition};
use super::state::Worker;
use crate::checkpoint::StoreProbe;
use crate::source::GroupDeparture;
use crate::{DeadLetterSink, Halt, Partition, Sink, Source};

/// The time without an answer of the checkpoint store after which a worker without open partitions leaves the group. It is
/// longer than a failed request and its repetitions take at a store that answers slowly, and shorter than the group's
/// session timeout: a worker that cannot open partitions should hold them no longer than one that has crashed.
const MAX_STORE_SILENCE: Duration = Duration::from_secs(10);

/// Whether the worker is a member of its consumer group.
#[derive(Debug)]
pub(super) enum GroupPresence {
    /// The worker is a member, or its source has no group. `waiting_since` is the time since which no partition is open
    /// and some wait for the store; `None` if this is not so.
    Member { waiting_since: Option<Duration> },
    /// The worker has left the group, and joins again when the store answers.
    Left { store_probe: StoreProbe },
}

impl GroupPresence {
    pub(super) const NEW_MEMBER: Self = Self::Member { waiting_since: None };
}

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Returns whether the worker may begin to open partitions.
    pub(super) fn is_group_member(&self) -> bool {
        matches!(self.group_presence, GroupPresence::Member { .. })
    }

    /// Leaves the group if the store does not answer, or joins it again if the store does.
    pub(super) fn update_group_presence(&mut self) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        let Some(opener) = &self.partition_opener else { return Ok(()) };
        match &self.group_presence {
            GroupPresence::Left { store_probe } => {
                let has_answered = match store_probe.has_answered() {
                    Err(_) if self.stop_signal.is_requested() => false,
                    answered => answered?,
                };
                // The group must have taken the partitions away before it assigns them again.
                if has_answered && self.partitions.is_empty() && opener.has_free_thread() {
                    self.event_recorder.record_group_rejoined();
                    self.group_presence = GroupPresence::NEW_MEMBER;
                    self.source.rejoin_group()?;
                }
            }
            GroupPresence::Member { waiting_since } => {
                let Some(partition) = self.find_partition_that_waits_for_store() else {
                    self.group_presence = GroupPresence::NEW_MEMBER;
                    return Ok(());
                };
                let waiting_since = waiting_since.unwrap_or(now);
                let silent_since = opener.last_store_answer().map_or(waiting_since, |at| at.max(waiting_since));
                self.group_presence = GroupPresence::Member { waiting_since: Some(waiting_since) };
                if now.saturating_sub(silent_since) < MAX_STORE_SILENCE {
                    return Ok(());
                }
                let store_probe = opener.start_store_probe(partition)?;
                match self.source.leave_group() {
                    GroupDeparture::Left => {
                        self.event_recorder.record_group_left(now.saturating_sub(silent_since));
                        self.group_presence = GroupPresence::Left { store_probe };
                    }
                    GroupDeparture::Stayed => {
                        self.group_presence = GroupPresence::Member { waiting_since: Some(now) };
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns a partition that the store keeps from being opened; `None` if a partition is open, is being released or
    /// waits for the row store.
    fn find_partition_that_waits_for_store(&self) -> Option<Partition> {
        let makes_progress = |tracked: &TrackedPartition| {
            tracked.owned_partition().is_some() || matches!(tracked.phase(), PartitionPhase::Claiming { .. })
        };
        if self.active_release.is_some() || self.partitions.values().any(makes_progress) {
            return None;
        }
        let waits = |tracked: &TrackedPartition| {
            matches!(tracked.phase(), PartitionPhase::Assigned { .. } | PartitionPhase::Opening { .. })
        };
        self.partitions.iter().find_map(|(&partition, tracked)| waits(tracked).then_some(partition))
    }
}

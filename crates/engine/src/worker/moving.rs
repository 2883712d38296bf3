//! Partitions that come and go.
//!
//! Owns: what happens between the group's announcement and the answer to it: opening partitions in the keeper, a last
//! checkpoint before one is given up; and what happens when a partition is lost. Does not own: the group (the source).
//! Invariants: (1) announcements are dealt with one after another, in their order; (2) meanwhile the other partitions are
//! worked on; (3) a partition is given up with a last checkpoint where that is possible within [`RELEASE_TIMEOUT`], and
//! without it otherwise: whoever comes next fences us.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{error, info, warn};

use super::Worker;
use super::owned::OwnedPartition;
use crate::checkpoint::{CheckpointCommand, OpenedPartition};
use crate::metrics::now_ms;
use crate::{
    DeadLetterSink, Epoch, FenceToken, Halt, LostPartition, Offset, Partition, PartitionLossReason, PartitionOffsets,
    RestoreRecord, Sink, Source, TimelineMarkKind,
};

/// How long the group waits for a last checkpoint.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the group may take to say that a partition of ours is somebody else's. A process that stood still is told at
/// its first heartbeat.
const FENCED_CONFIRM_DELAY: Duration = Duration::from_secs(10);
/// How often a partition that the group says is ours may be claimed back.
const MAX_RECLAIMS: u32 = 5;

/// A partition that somebody else has claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FencedPartition {
    /// Since when; `None` while it is being claimed back.
    since: Option<Duration>,
    /// How often this has happened since the group gave it to us.
    times: u32,
    /// Something to commit, by which the group tells whether it is still ours.
    offset: Option<Offset>,
}

/// What is to happen to partitions.
#[derive(Debug)]
pub(super) enum PendingChange {
    Assigned(Vec<Partition>),
    Revoked {
        partitions: Vec<Partition>,
        lost: bool,
    },
    /// The partition is still ours, and begins again at its last checkpoint: the store of rows went back, or somebody who
    /// stood still claimed it by mistake.
    Restart(Partition),
}

/// What is happening to partitions.
#[derive(Debug)]
pub(super) enum ActiveChange {
    /// They are being opened: restored, then claimed at the fence.
    Opening(PartitionOpening),
    /// They are frozen, and their last checkpoints are being taken.
    Releasing { partitions: Vec<Partition>, until: Duration },
}

/// Partitions on their way in.
#[derive(Debug)]
pub(super) struct PartitionOpening {
    partitions: Vec<Partition>,
    /// Restored, up to this offset.
    restored_offsets: BTreeMap<Partition, Option<Offset>>,
    /// Where they are read from, once that was asked.
    start_offsets: Option<PartitionOffsets>,
    opened: BTreeMap<Partition, OpenedPartition>,
    /// Somebody else has claimed these meanwhile.
    overtaken: Vec<Partition>,
    /// They are being read already, and go back.
    restart: bool,
}

/// `partition 3`, `partitions 0, 1`.
fn format_partitions(partitions: &[Partition]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!("partition{} {}", if partitions.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    pub(super) fn advance_changes(&mut self) -> Result<(), Halt> {
        self.reclaim_fenced_partition()?;
        let now = self.clock.now();
        match self.active_change.take() {
            None => match self.pending_changes.pop_front() {
                Some(coming) => self.start_change(coming, now),
                None => Ok(()),
            },
            Some(ActiveChange::Opening(opening)) => self.advance_opening(opening, now),
            Some(ActiveChange::Releasing { partitions, until }) => {
                if self.advance_final_checkpoints()? || now >= until {
                    self.release_partitions(&partitions)
                } else {
                    self.active_change = Some(ActiveChange::Releasing { partitions, until });
                    Ok(())
                }
            }
        }
    }

    fn start_change(&mut self, coming: PendingChange, now: Duration) -> Result<(), Halt> {
        match coming {
            PendingChange::Assigned(partitions) => {
                self.fenced_partitions.retain(|partition, _| !partitions.contains(partition));
                self.open_partitions(partitions, false, now)
            }
            PendingChange::Restart(partition) => self.open_partitions(vec![partition], true, now),
            PendingChange::Revoked { partitions, lost: true } => {
                warn!(?partitions, "partitions were lost to another member of the group");
                self.metrics
                    .recent_events
                    .add_mark(TimelineMarkKind::Revoked, format!("lost {}", format_partitions(&partitions)));
                for &partition in &partitions {
                    self.abandon_snapshot(partition)?;
                    self.partitions.remove(&partition);
                }
                self.cancel_changes(&partitions);
                self.source.release_partitions(&partitions)
            }
            PendingChange::Revoked { partitions, lost: false } => {
                self.fenced_partitions.retain(|partition, _| !partitions.contains(partition));
                for (_, owned) in self.partitions.iter_mut().filter(|(partition, _)| partitions.contains(partition)) {
                    owned.frozen = true;
                }
                self.active_change = Some(ActiveChange::Releasing { partitions, until: now + RELEASE_TIMEOUT });
                Ok(())
            }
        }
    }

    fn open_partitions(&mut self, partitions: Vec<Partition>, again: bool, now: Duration) -> Result<(), Halt> {
        if !again && !partitions.is_empty() {
            self.metrics
                .recent_events
                .add_mark(TimelineMarkKind::Assigned, format!("assigned {}", format_partitions(&partitions)));
        }
        let Some(keeper) = &self.checkpoint_thread else {
            let starts = self.source.resolve_start_offsets(&partitions, &PartitionOffsets::new())?;
            self.source.start_partitions(&partitions, &starts)?;
            for partition in partitions {
                let origin = FenceToken { partition, epoch: 0 };
                let start = starts.get(&partition).copied();
                self.partitions
                    .insert(partition, OwnedPartition::without_checkpoints(self.job.new_shard(), origin, start, now));
            }
            return Ok(());
        };
        partitions
            .iter()
            .try_for_each(|&partition| keeper.send_command(CheckpointCommand::RestorePartition(partition)))?;
        let (found, opened, overtaken) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        self.active_change = Some(ActiveChange::Opening(PartitionOpening {
            partitions,
            restored_offsets: found,
            start_offsets: None,
            opened,
            overtaken,
            restart: again,
        }));
        Ok(())
    }

    fn advance_opening(&mut self, mut opening: PartitionOpening, now: Duration) -> Result<(), Halt> {
        let all = opening.partitions.len();
        if opening.start_offsets.is_none() && opening.restored_offsets.len() == all {
            let found = opening.restored_offsets.iter();
            let positions = found.filter_map(|(&partition, offset)| Some((partition, (*offset)?))).collect();
            let starts = self.source.resolve_start_offsets(&opening.partitions, &positions)?;
            if let Some(keeper) = &self.checkpoint_thread {
                for &partition in &opening.partitions {
                    keeper.send_command(CheckpointCommand::ClaimFence {
                        partition,
                        start: starts.get(&partition).copied(),
                    })?;
                }
            }
            opening.start_offsets = Some(starts);
        }
        match opening {
            PartitionOpening { partitions, start_offsets: Some(starts), opened, overtaken, restart: again, .. }
                if opened.len() + overtaken.len() == all =>
            {
                if again {
                    self.source.seek_partitions(&starts)?;
                } else {
                    self.source.start_partitions(&partitions, &starts)?;
                }
                let every = self.checkpoints.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.interval);
                for (partition, opened) in opened {
                    self.report_opened_partition(partition, &opened);
                    self.partitions.insert(partition, OwnedPartition::new(opened, now, every));
                }
            }
            unfinished => self.active_change = Some(ActiveChange::Opening(unfinished)),
        }
        Ok(())
    }

    /// The keeper has restored `partition`, or cannot.
    pub(super) fn handle_partition_restored(
        &mut self,
        partition: Partition,
        found: Result<Option<Offset>, Halt>,
    ) -> Result<(), Halt> {
        if let (Some(offset), Some(ActiveChange::Opening(opening))) =
            (self.ignore_after_stop(found)?, &mut self.active_change)
        {
            opening.restored_offsets.insert(partition, offset);
        }
        Ok(())
    }

    /// The keeper has opened `partition`, or cannot.
    pub(super) fn handle_partition_claimed(
        &mut self,
        partition: Partition,
        opened: Result<Result<Box<OpenedPartition>, Epoch>, Halt>,
    ) -> Result<(), Halt> {
        let (Some(opened), Some(ActiveChange::Opening(opening))) =
            (self.ignore_after_stop(opened)?, &mut self.active_change)
        else {
            return Ok(());
        };
        match opened {
            Ok(opened) => drop(opening.opened.insert(partition, *opened)),
            Err(theirs) => {
                opening.overtaken.push(partition);
                let offset = opening.start_offsets.as_ref().and_then(|starts| starts.get(&partition)).copied();
                self.record_fenced_partition(partition, theirs, offset);
            }
        }
        Ok(())
    }

    /// What the keeper has, or nothing where it gave up because of a stop.
    fn ignore_after_stop<T>(&self, outcome: Result<T, Halt>) -> Result<Option<T>, Halt> {
        match outcome {
            Err(_) if self.stop_signal.is_requested() => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    fn report_opened_partition(&self, partition: Partition, opened: &OpenedPartition) {
        let (epoch, start) = (opened.fence_token.epoch, opened.next_offset);
        match &opened.restored_from {
            Some(restored) => {
                let (took_ms, bytes, entities) = (restored.duration.as_millis(), restored.bytes, restored.entities);
                let from = restored.savepoint_place.as_deref();
                info!(partition, epoch, checkpoint = %restored.id, from, offset = start, entities, bytes, took_ms, "restored");
                self.metrics.checkpoints.record_restored(RestoreRecord {
                    partition,
                    checkpoint_id: restored.id,
                    restored_at_ms: now_ms(),
                    duration: restored.duration,
                    savepoint_place: restored.savepoint_place.clone(),
                    offset: start,
                });
            }
            None => info!(partition, epoch, offset = start, "no checkpoint yet: beginning with empty state"),
        }
    }

    /// The last checkpoints are complete, or there is no time left for them.
    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        if !partitions.is_empty() {
            self.metrics
                .recent_events
                .add_mark(TimelineMarkKind::Revoked, format!("gave up {}", format_partitions(partitions)));
        }
        let mut positions = PartitionOffsets::new();
        for &partition in partitions {
            self.abandon_snapshot(partition)?;
            let Some(owned) = self.partitions.remove(&partition) else { continue };
            if owned.has_uncheckpointed_records() {
                error!(
                    partition,
                    "gave the partition up without a last checkpoint; what follows the one before is read again"
                );
            }
            positions.extend(owned.checkpoint_offset.map(|kept| (partition, kept)));
        }
        if !positions.is_empty() {
            self.source.commit_offsets(&positions, true)?;
        }
        self.cancel_changes(partitions);
        self.source.release_partitions(partitions)
    }

    /// They are no longer ours: nothing that was to be done about them is.
    fn cancel_changes(&mut self, partitions: &[Partition]) {
        self.fenced_partitions.retain(|partition, _| !partitions.contains(partition));
        self.pending_changes
            .retain(|coming| !matches!(coming, PendingChange::Restart(partition) if partitions.contains(partition)));
    }

    /// Bounded input has ended: whether every partition of ours was read to its end here.
    pub(super) fn is_input_finished(&self) -> bool {
        let going_back = self.pending_changes.iter().any(|coming| matches!(coming, PendingChange::Restart(_)))
            || matches!(&self.active_change, Some(ActiveChange::Opening(PartitionOpening { restart: true, .. })));
        !going_back
            && self.fenced_partitions.values().all(|fenced| fenced.since.is_none())
            && self.partitions.values().all(|owned| owned.finished)
    }

    /// Takes note of the partitions whose rows the store no longer takes.
    pub(super) fn handle_lost_partitions(&mut self) -> Result<(), Halt> {
        for LostPartition { fence_token: origin, reason: why } in self.sink.take_lost_partitions() {
            match why {
                PartitionLossReason::Fenced(epoch) => self.drop_fenced_partition(origin, epoch),
                PartitionLossReason::StoreRewound => {
                    let partition = origin.partition;
                    if self.partitions.get(&partition).is_none_or(|owned| owned.fence_token != origin) {
                        continue;
                    }
                    error!(
                        partition,
                        "the store of rows has lost rows that it had acknowledged; going back to the last checkpoint to \
                         write them again"
                    );
                    self.abandon_snapshot(partition)?;
                    self.partitions.remove(&partition);
                    self.pending_changes.push_back(PendingChange::Restart(partition));
                }
            }
        }
        Ok(())
    }

    /// Somebody has claimed a partition under a larger `epoch`.
    pub(super) fn drop_fenced_partition(&mut self, origin: FenceToken, epoch: Epoch) {
        let partition = origin.partition;
        if self.partitions.get(&partition).is_none_or(|owned| owned.fence_token != origin) {
            return;
        }
        let offset = self.partitions.remove(&partition).and_then(|owned| owned.checkpoint_offset.or(owned.next_offset));
        self.metrics.checkpoints.record_abandoned(partition);
        self.record_fenced_partition(partition, epoch, offset);
    }

    fn record_fenced_partition(&mut self, partition: Partition, theirs: Epoch, offset: Option<Offset>) {
        warn!(
            partition,
            theirs,
            "another worker has taken this partition over while we were away: nothing more is written for it here"
        );
        self.metrics.checkpoints.partitions_fenced.add(1);
        let before = self.fenced_partitions.get(&partition);
        let (times, offset) = before.map_or((0, offset), |before| (before.times, offset.or(before.offset)));
        self.fenced_partitions
            .insert(partition, FencedPartition { since: Some(self.clock.now()), times: times + 1, offset });
    }

    /// A partition that a member of our group has claimed is soon taken from us by the group. If it is not, and the group
    /// says that it is ours, it was claimed by somebody who did not know that it was no longer theirs: it is claimed back.
    fn reclaim_fenced_partition(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        let overdue = |fenced: &FencedPartition| {
            fenced.since.is_some_and(|since| now.saturating_sub(since) >= FENCED_CONFIRM_DELAY)
        };
        let Some((&partition, &fenced)) = self.fenced_partitions.iter().find(|(_, fenced)| overdue(fenced)) else {
            return Ok(());
        };
        if fenced.times > MAX_RECLAIMS {
            return Err(Halt::Fenced(format!(
                "partition {partition} is taken over again and again by a process that is not a member of our consumer group, \
                 but uses the same checkpoint store or Redis, pipeline name and group name. Two jobs need two groups"
            )));
        }
        let confirmed = match fenced.offset {
            Some(offset) => self.source.confirm_ownership(&PartitionOffsets::from([(partition, offset)]))?,
            None => false,
        };
        let since = if confirmed { None } else { Some(now) };
        self.fenced_partitions.insert(partition, FencedPartition { since, ..fenced });
        if confirmed {
            info!(partition, "the group says that this partition is ours: claiming it back");
            self.pending_changes.push_back(PendingChange::Restart(partition));
        }
        Ok(())
    }
}

//! The phases of a partition in a worker, and the only function that moves a partition to another phase.
//!
//! Owns: [`PartitionPhase`] with the data of each phase, [`TrackedPartition`], and the table of legal transitions
//! ([`PhaseName::may_become`]). A test compares the table with the diagram in `ARCHITECTURE.md`. Does not own: the
//! decision when a transition is due (`partition_changes`, `partition_openings`, `fencing` and `snapshots`).
//! Invariants: (1) A phase changes only in [`TrackedPartition::transition`], which logs each change once. (2) An
//! illegal transition is a bug in Windrow. The partition stays in its phase, and the worker halts before it writes
//! another row. The next start resumes from the last complete checkpoint.

use std::fmt;
use std::time::Duration;

use tracing::debug;

use super::active_snapshot::{ActiveSnapshot, SnapshotStage};
use super::owned_partition::OwnedPartition;
use crate::checkpoint::{OpeningCommand, PartitionOpening};
use crate::halt::{CheckpointStoreFault, LostOffset, share_error};
use crate::{Halt, HeldOffsets, Offset, Partition, RetryBackoff};

/// The delay before the first attempt to open a parked partition again. Each further delay is twice as long.
const SHORTEST_PARK_DELAY: Duration = Duration::from_secs(5);
const LONGEST_PARK_DELAY: Duration = Duration::from_secs(300);

/// The phase of a partition, with the data that exists only in that phase.
#[derive(Debug)]
pub(super) enum PartitionPhase {
    /// The partition belongs to this worker, but the worker has not begun to open the partition.
    Assigned { reason: OpenReason },
    /// The opening thread claims an epoch for the partition and restores the partition's shard. `restored` is `None` until
    /// the shard is restored. Then the worker asks the source where reading starts.
    Opening { reason: OpenReason, opening: PartitionOpening, restored: Option<RestoredOffset> },
    /// The opening thread claims the partition at the fence of the row store. Reading will start at `start_offset`.
    Claiming { reason: OpenReason, opening: PartitionOpening, start_offset: Option<Offset> },
    /// The worker processes the partition's records.
    Running(Box<OwnedPartition>),
    /// The worker processes the partition's records and takes a snapshot of the partition's shard.
    Snapshotting(Box<OwnedPartition>, ActiveSnapshot),
    /// The worker takes the partition's last checkpoint, and processes no more records. [`DrainGoal`] says what follows.
    Draining(Box<OwnedPartition>, PartitionDrain),
    /// The worker has released the partition. No phase follows.
    Released,
    /// Another worker has claimed the partition. This worker waits until the consumer group confirms that this worker
    /// owns the partition, or revokes the partition. `since` is the monotonic time at which the wait began.
    Fenced { since: Duration },
    /// The partition has a fault that an operator must resolve. The worker opens the partition again at the monotonic
    /// time `retry_at`, and continues with its other partitions meanwhile.
    Parked { retry_at: Duration },
}

/// The reason why a partition is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenReason {
    /// The consumer group has assigned the partition to this worker.
    NewAssignment,
    /// The partition restarts from its last checkpoint. The row store has lost rows, the source has lost records, another
    /// worker had claimed the partition by mistake, or the partition was parked.
    Restart,
}

/// The offset of the checkpoint that a shard was restored from; `None` if the partition has no checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RestoredOffset(pub(super) Option<Offset>);

/// The progress of a draining partition's last checkpoint.
#[derive(Debug, Default)]
pub(super) struct PartitionDrain {
    pub(super) snapshot: Option<ActiveSnapshot>,
    /// Whether the last checkpoint has failed.
    pub(super) final_checkpoint_failed: bool,
    pub(super) goal: DrainGoal,
}

/// What follows after the last checkpoint of a draining partition.
#[derive(Debug, Default)]
pub(super) enum DrainGoal {
    /// The worker releases the partition. It does not repeat a last checkpoint that has failed.
    #[default]
    Release,
    /// The worker parks the partition because the source has deleted the partition's next records. It repeats a failed last
    /// checkpoint: the state includes records that the source no longer has, so no attempt can compute it again.
    Park(LostOffset),
    /// The job halts because the source has deleted the partition's next records.
    Halt(LostOffset),
}

/// The name of a phase, without the phase's data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum PhaseName {
    Assigned,
    Opening,
    Claiming,
    Running,
    Snapshotting,
    Draining,
    Released,
    Fenced,
    Parked,
}

impl PhaseName {
    /// Returns the name that log lines and `ARCHITECTURE.md` use.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Opening => "opening",
            Self::Claiming => "claiming",
            Self::Running => "running",
            Self::Snapshotting => "snapshotting",
            Self::Draining => "draining",
            Self::Released => "released",
            Self::Fenced => "fenced",
            Self::Parked => "parked",
        }
    }

    /// Returns whether a partition in this phase may enter the phase `next`.
    pub(super) const fn may_become(self, next: Self) -> bool {
        match self {
            // In a job without checkpoints, an assigned partition changes directly to `Running`, because the worker has
            // nothing to restore or claim.
            Self::Assigned => matches!(next, Self::Opening | Self::Running | Self::Released),
            Self::Opening => matches!(next, Self::Claiming | Self::Released | Self::Parked),
            Self::Claiming => {
                matches!(next, Self::Running | Self::Opening | Self::Fenced | Self::Released | Self::Parked)
            }
            Self::Running => matches!(
                next,
                Self::Snapshotting | Self::Draining | Self::Released | Self::Fenced | Self::Assigned | Self::Parked
            ),
            Self::Snapshotting => matches!(
                next,
                Self::Running | Self::Draining | Self::Released | Self::Fenced | Self::Assigned | Self::Parked
            ),
            Self::Draining => matches!(next, Self::Released | Self::Fenced | Self::Assigned | Self::Parked),
            Self::Released => false,
            Self::Fenced | Self::Parked => matches!(next, Self::Assigned | Self::Released),
        }
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transition that [`PhaseName::may_become`] forbids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("partition {partition} cannot change from phase {from} to phase {to}; this is a bug in Windrow")]
pub(super) struct IllegalTransition {
    partition: Partition,
    from: PhaseName,
    to: PhaseName,
}

impl From<IllegalTransition> for Halt {
    fn from(illegal: IllegalTransition) -> Self {
        CheckpointStoreFault::IllegalTransition { source: share_error(illegal) }.into()
    }
}

/// How often other workers have claimed a partition after the group assigned it to this worker. Also the offset for the
/// next check of ownership.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RepeatedFencing {
    pub(super) fence_count: u32,
    /// The worker checks its ownership of the partition by committing this offset. The consumer group rejects the
    /// commit of a worker that no longer owns the partition.
    pub(super) ownership_check_offset: Option<Offset>,
}

/// The wait for the checkpoint thread before a partition is opened again. The thread may still delete objects of older
/// checkpoints, or complete a checkpoint.
#[derive(Clone, Copy, Debug)]
struct OpeningBarrier {
    barrier_number: u64,
    /// The monotonic time at which the opening begins without the thread's answer.
    deadline: Duration,
}

/// A partition that the consumer group has assigned to this worker, with its phase. In the phase `Fenced`, the
/// partition may already belong to another worker.
#[derive(Debug)]
pub(super) struct TrackedPartition {
    partition: Partition,
    phase: PartitionPhase,
    phase_entered_at: Duration,
    pub(super) repeated_fencing: RepeatedFencing,
    /// The offsets that the source still held when it had lost records that this worker has read; `None` if it has lost
    /// none, or the partition has gone back since.
    held_offsets_after_truncation: Option<HeldOffsets>,
    /// What the next opening waits for; `None` if it may begin.
    opening_barrier: Option<OpeningBarrier>,
    /// The delays before the worker opens the parked partition again.
    park_delay: RetryBackoff,
    /// The records that the source has lost after this worker had read them, although the pipeline does not allow it.
    /// The source may receive other records at these offsets, so no later attempt may open the partition as if nothing
    /// was lost.
    pub(super) lost_records: Option<LostOffset>,
    /// The savepoint that the worker has refused because the partition is parked.
    pub(super) refused_savepoint_id: Option<Box<str>>,
}

impl PartitionPhase {
    const fn name(&self) -> PhaseName {
        match self {
            Self::Assigned { .. } => PhaseName::Assigned,
            Self::Opening { .. } => PhaseName::Opening,
            Self::Claiming { .. } => PhaseName::Claiming,
            Self::Running(_) => PhaseName::Running,
            Self::Snapshotting(..) => PhaseName::Snapshotting,
            Self::Draining(..) => PhaseName::Draining,
            Self::Released => PhaseName::Released,
            Self::Fenced { .. } => PhaseName::Fenced,
            Self::Parked { .. } => PhaseName::Parked,
        }
    }

    /// Returns the data of the partition and drops the other data of the phase. Returns `None` in a phase in which the
    /// partition is not open.
    fn into_owned_partition(self) -> Option<Box<OwnedPartition>> {
        match self {
            Self::Running(owned) | Self::Snapshotting(owned, _) | Self::Draining(owned, _) => Some(owned),
            Self::Assigned { .. }
            | Self::Opening { .. }
            | Self::Claiming { .. }
            | Self::Released
            | Self::Fenced { .. }
            | Self::Parked { .. } => None,
        }
    }
}

impl TrackedPartition {
    /// Creates a newly assigned partition.
    pub(super) fn new_assigned(partition: Partition, now: Duration) -> Self {
        Self {
            partition,
            phase: PartitionPhase::Assigned { reason: OpenReason::NewAssignment },
            phase_entered_at: now,
            repeated_fencing: RepeatedFencing::default(),
            held_offsets_after_truncation: None,
            opening_barrier: None,
            park_delay: RetryBackoff::new(SHORTEST_PARK_DELAY, LONGEST_PARK_DELAY),
            lost_records: None,
            refused_savepoint_id: None,
        }
    }

    /// Returns whether a fault of the partition can park it: the worker opens the partition, processes its records, or
    /// drains it for another reason than its release.
    pub(super) fn may_be_parked(&self) -> bool {
        let is_released = self.drain_goal().is_some_and(|goal| matches!(goal, DrainGoal::Release));
        !is_released && self.phase.name().may_become(PhaseName::Parked)
    }

    /// Returns what follows after the last checkpoint, in the phase `Draining`.
    pub(super) fn drain_goal(&self) -> Option<&DrainGoal> {
        match &self.phase {
            PartitionPhase::Draining(_, drain) => Some(&drain.goal),
            _ => None,
        }
    }

    /// Moves the partition to the phase `Parked`, and drops its data. Returns the delay after which the worker opens the
    /// partition again.
    pub(super) fn park(&mut self, now: Duration) -> Result<Duration, IllegalTransition> {
        let delay = self.park_delay.next_delay();
        self.transition(PhaseName::Parked, now, |_| (PartitionPhase::Parked { retry_at: now + delay }, ()))?;
        Ok(delay)
    }

    /// Lets the next parking begin with the shortest delay: the partition has completed a checkpoint since it was opened.
    pub(super) const fn reset_park_delay(&mut self) {
        self.park_delay.reset();
    }

    /// Notes that the source has lost records that this worker has read, and which offsets it still holds.
    pub(super) fn mark_log_truncated(&mut self, held_offsets: HeldOffsets) {
        let earlier = self.held_offsets_after_truncation.unwrap_or(held_offsets);
        self.held_offsets_after_truncation = Some(held_offsets.ending_no_later_than(earlier));
    }

    /// Returns the offsets that the source still held when it lost records; `None` if it has lost none since the last
    /// call.
    pub(super) fn take_truncation(&mut self) -> Option<HeldOffsets> {
        self.held_offsets_after_truncation.take()
    }

    pub(super) fn phase(&self) -> &PartitionPhase {
        &self.phase
    }

    /// Returns how long the partition has been in its phase at the monotonic time `now`.
    pub(super) fn time_in_phase(&self, now: Duration) -> Duration {
        now.saturating_sub(self.phase_entered_at)
    }

    /// Moves the partition to the phase `to`. No other function changes the phase. `build` converts the old phase into
    /// the new phase and a result, which this function returns.
    ///
    /// # Errors
    /// When the transition is illegal. In this case, the phase does not change and `build` is not called.
    fn transition<T>(
        &mut self,
        to: PhaseName,
        now: Duration,
        build: impl FnOnce(PartitionPhase) -> (PartitionPhase, T),
    ) -> Result<T, IllegalTransition> {
        let from = self.phase.name();
        if !from.may_become(to) {
            return Err(IllegalTransition { partition: self.partition, from, to });
        }
        let (phase, rest) = build(std::mem::replace(&mut self.phase, PartitionPhase::Released));
        debug_assert_eq!(phase.name(), to, "the new phase is not the requested phase");
        self.phase = phase;
        let duration_ms = self.time_in_phase(now).as_millis();
        self.phase_entered_at = now;
        debug!(partition = self.partition, %from, %to, duration_ms, "partition phase changed");
        Ok(rest)
    }

    /// Moves the partition back to the phase `Assigned`, so that the worker opens the partition again. Returns the data
    /// of the partition if the partition was open.
    pub(super) fn assign_again(
        &mut self,
        reason: OpenReason,
        now: Duration,
    ) -> Result<Option<Box<OwnedPartition>>, IllegalTransition> {
        if let PartitionPhase::Assigned { reason: known } = &mut self.phase {
            *known = reason;
            return Ok(None);
        }
        self.transition(PhaseName::Assigned, now, |old| {
            (PartitionPhase::Assigned { reason }, old.into_owned_partition())
        })
    }

    /// Lets the next opening wait for the answer of the checkpoint thread with this number, at most until `deadline`.
    pub(super) fn set_opening_barrier(&mut self, barrier_number: u64, deadline: Duration) {
        self.opening_barrier = Some(OpeningBarrier { barrier_number, deadline });
    }

    /// Ends the wait for the answer with this number.
    pub(super) fn remove_opening_barrier(&mut self, barrier_number: u64) {
        self.opening_barrier.take_if(|barrier| barrier.barrier_number == barrier_number);
    }

    /// Returns whether the partition is assigned and its opening may begin.
    pub(super) fn may_begin_opening(&self, now: Duration) -> bool {
        let is_assigned = matches!(self.phase, PartitionPhase::Assigned { .. });
        is_assigned && self.opening_barrier.is_none_or(|barrier| now >= barrier.deadline)
    }

    /// Moves an assigned partition to the phase `Opening`.
    pub(super) fn start_opening(&mut self, opening: PartitionOpening, now: Duration) -> Result<(), IllegalTransition> {
        let reason = self.open_reason();
        let opening = PartitionPhase::Opening { reason, opening, restored: None };
        self.transition(PhaseName::Opening, now, |_| (opening, ()))
    }

    /// Moves a partition from the phase `Opening` to the phase `Claiming`.
    pub(super) fn start_claiming(
        &mut self,
        start_offset: Option<Offset>,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.transition(PhaseName::Claiming, now, |old| match old {
            PartitionPhase::Opening { reason, opening, .. } => {
                (PartitionPhase::Claiming { reason, opening, start_offset }, ())
            }
            other => (other, ()),
        })
    }

    /// Records that the shard is restored. If the opening thread has restored an older checkpoint in the phase `Claiming`,
    /// moves the partition back to the phase `Opening`.
    pub(super) fn mark_restored(&mut self, checkpoint: RestoredOffset, now: Duration) -> Result<(), IllegalTransition> {
        if let PartitionPhase::Opening { restored, .. } = &mut self.phase {
            *restored = Some(checkpoint);
            return Ok(());
        }
        self.transition(PhaseName::Opening, now, |old| match old {
            PartitionPhase::Claiming { reason, opening, .. } => {
                (PartitionPhase::Opening { reason, opening, restored: Some(checkpoint) }, ())
            }
            other => (other, ()),
        })
    }

    /// Records that the opening thread restores another checkpoint.
    pub(super) fn mark_restore_pending(&mut self) {
        if let PartitionPhase::Opening { restored, .. } = &mut self.phase {
            *restored = None;
        }
    }

    /// Returns the offset of the restored checkpoint, in the phase `Opening`; `None` while the shard is being restored.
    pub(super) fn restored_offset(&self) -> Option<RestoredOffset> {
        match self.phase {
            PartitionPhase::Opening { restored, .. } => restored,
            _ => None,
        }
    }

    /// Returns the opening of the partition, in the phases `Opening` and `Claiming`.
    pub(super) fn partition_opening(&self) -> Option<&PartitionOpening> {
        match &self.phase {
            PartitionPhase::Opening { opening, .. } | PartitionPhase::Claiming { opening, .. } => Some(opening),
            _ => None,
        }
    }

    /// Sends `command` to the thread that opens the partition, if any.
    pub(super) fn send_opening_command(&self, command: OpeningCommand) -> Result<(), Halt> {
        self.partition_opening().map_or(Ok(()), |opening| opening.send_command(command))
    }

    /// Returns the offset at which reading starts, in the phase `Claiming`; `None` if it is unknown.
    pub(super) fn claimed_start_offset(&self) -> Option<Offset> {
        match self.phase {
            PartitionPhase::Claiming { start_offset, .. } => start_offset,
            _ => None,
        }
    }

    /// Returns why the partition is opened. A partition that is not opened is a new assignment.
    fn open_reason(&self) -> OpenReason {
        match self.phase {
            PartitionPhase::Assigned { reason }
            | PartitionPhase::Opening { reason, .. }
            | PartitionPhase::Claiming { reason, .. } => reason,
            _ => OpenReason::NewAssignment,
        }
    }

    pub(super) fn start_running(&mut self, owned: OwnedPartition, now: Duration) -> Result<(), IllegalTransition> {
        self.transition(PhaseName::Running, now, |_| (PartitionPhase::Running(Box::new(owned)), ()))
    }

    /// Starts a snapshot. A running partition moves to the phase `Snapshotting`; a draining partition stays in the
    /// phase `Draining`.
    pub(super) fn start_snapshot(&mut self, snapshot: ActiveSnapshot, now: Duration) -> Result<(), IllegalTransition> {
        if let PartitionPhase::Draining(_, drain) = &mut self.phase {
            drain.snapshot = Some(snapshot);
            return Ok(());
        }
        self.transition(PhaseName::Snapshotting, now, |old| match old {
            PartitionPhase::Running(owned) => (PartitionPhase::Snapshotting(owned, snapshot), ()),
            other => (other, ()),
        })
    }

    /// Ends the snapshot in progress and returns this snapshot. Returns `None` if no snapshot is in progress.
    pub(super) fn end_snapshot(&mut self, now: Duration) -> Result<Option<ActiveSnapshot>, IllegalTransition> {
        match &mut self.phase {
            PartitionPhase::Draining(_, drain) => Ok(drain.snapshot.take()),
            PartitionPhase::Snapshotting(..) => self.transition(PhaseName::Running, now, |old| match old {
                PartitionPhase::Snapshotting(owned, snapshot) => (PartitionPhase::Running(owned), Some(snapshot)),
                other => (other, None),
            }),
            _ => Ok(None),
        }
    }

    /// Moves the partition to the phase `Draining`, in which the worker processes no more records. A snapshot in
    /// progress continues. A partition that is draining already gets the new `goal`.
    pub(super) fn start_draining(&mut self, goal: DrainGoal, now: Duration) -> Result<(), IllegalTransition> {
        if let PartitionPhase::Draining(_, drain) = &mut self.phase {
            if !matches!(drain.goal, DrainGoal::Release) {
                drain.final_checkpoint_failed = false;
            }
            drain.goal = goal;
            return Ok(());
        }
        self.transition(PhaseName::Draining, now, |old| match old {
            PartitionPhase::Running(owned) => {
                (PartitionPhase::Draining(owned, PartitionDrain { goal, ..PartitionDrain::default() }), ())
            }
            PartitionPhase::Snapshotting(owned, snapshot) => {
                let drain = PartitionDrain { snapshot: Some(snapshot), goal, ..PartitionDrain::default() };
                (PartitionPhase::Draining(owned, drain), ())
            }
            other => (other, ()),
        })
    }

    /// Releases the partition. Returns the data of the partition if the partition was open.
    pub(super) fn release(&mut self, now: Duration) -> Result<Option<Box<OwnedPartition>>, IllegalTransition> {
        self.transition(PhaseName::Released, now, |old| (PartitionPhase::Released, old.into_owned_partition()))
    }

    /// Moves the partition to the phase `Fenced`, because another worker has claimed the partition. Stores
    /// `confirm_offset` as the offset for the check of ownership; `None` keeps the stored offset.
    pub(super) fn mark_fenced(
        &mut self,
        confirm_offset: Option<Offset>,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.transition(PhaseName::Fenced, now, |_| (PartitionPhase::Fenced { since: now }, ()))?;
        self.repeated_fencing.fence_count += 1;
        self.repeated_fencing.ownership_check_offset = confirm_offset.or(self.repeated_fencing.ownership_check_offset);
        Ok(())
    }

    /// Restarts the wait for the consumer group to confirm or revoke the ownership of a fenced partition.
    pub(super) fn restart_ownership_confirm_delay(&mut self, now: Duration) {
        if let PartitionPhase::Fenced { since } = &mut self.phase {
            *since = now;
        }
    }

    /// Returns the data of the partition while the worker processes its records: in the phases `Running` and
    /// `Snapshotting`.
    pub(super) fn running_partition(&self) -> Option<&OwnedPartition> {
        match &self.phase {
            PartitionPhase::Running(owned) | PartitionPhase::Snapshotting(owned, _) => Some(owned),
            _ => None,
        }
    }

    /// Like [`Self::running_partition`].
    #[inline]
    pub(super) fn running_partition_mut(&mut self) -> Option<&mut OwnedPartition> {
        match &mut self.phase {
            PartitionPhase::Running(owned) | PartitionPhase::Snapshotting(owned, _) => Some(owned),
            _ => None,
        }
    }

    /// Returns the data of the partition while the partition is open: in the phases `Running`, `Snapshotting` and
    /// `Draining`.
    pub(super) fn owned_partition(&self) -> Option<&OwnedPartition> {
        match &self.phase {
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => Some(owned),
            _ => None,
        }
    }

    pub(super) fn owned_partition_mut(&mut self) -> Option<&mut OwnedPartition> {
        match &mut self.phase {
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => Some(owned),
            _ => None,
        }
    }

    pub(super) fn partition_drain_mut(&mut self) -> Option<&mut PartitionDrain> {
        match &mut self.phase {
            PartitionPhase::Draining(_, drain) => Some(drain),
            _ => None,
        }
    }

    pub(super) fn active_snapshot(&self) -> Option<&ActiveSnapshot> {
        match &self.phase {
            PartitionPhase::Snapshotting(_, snapshot) => Some(snapshot),
            PartitionPhase::Draining(_, drain) => drain.snapshot.as_ref(),
            _ => None,
        }
    }

    /// Returns the data of the partition and the snapshot in progress. Returns `None` if no snapshot is in progress.
    pub(super) fn owned_and_snapshot_mut(&mut self) -> Option<(&mut OwnedPartition, &mut ActiveSnapshot)> {
        match &mut self.phase {
            PartitionPhase::Snapshotting(owned, snapshot) => Some((owned, snapshot)),
            PartitionPhase::Draining(owned, drain) => drain.snapshot.as_mut().map(|snapshot| (&mut **owned, snapshot)),
            _ => None,
        }
    }

    /// Returns whether this worker has processed the whole bounded input of the partition. Also returns true for a
    /// newly assigned partition that the worker has not opened yet.
    pub(super) fn is_input_finished(&self) -> bool {
        match &self.phase {
            PartitionPhase::Assigned { reason }
            | PartitionPhase::Opening { reason, .. }
            | PartitionPhase::Claiming { reason, .. } => *reason != OpenReason::Restart,
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => owned.input_finished,
            PartitionPhase::Released => true,
            PartitionPhase::Fenced { .. } | PartitionPhase::Parked { .. } => false,
        }
    }

    pub(super) fn has_snapshot_in_stage(&self, stage: SnapshotStage) -> bool {
        self.active_snapshot().is_some_and(|snapshot| snapshot.stage == stage)
    }
}

#[cfg(test)]
mod tests;

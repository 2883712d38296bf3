//! The phases of a partition in a worker, and the only function that moves a partition from one phase to the next.
//!
//! Owns: [`PartitionPhase`] with the data of each phase, [`TrackedPartition`], the table of legal transitions
//! ([`PhaseName::may_become`]; drawn in `ARCHITECTURE.md`, which a test compares). Does not own: when a transition is due
//! (`partition_changes`, `fencing` and `snapshots`).
//! Invariants: (1) a phase changes only in [`TrackedPartition::transition`], which logs each change once; (2) an illegal
//! transition is a bug in Windrow: it is refused, the partition stays in its phase, and the worker halts before it writes
//! another row. The last complete checkpoint is then the place to resume from.

use std::fmt;
use std::time::Duration;

use tracing::debug;

use super::active_snapshot::{ActiveSnapshot, SnapshotStage};
use super::owned_partition::OwnedPartition;
use crate::checkpoint::OpenedPartition;
use crate::halt::{CheckpointStoreFault, share_error};
use crate::{Halt, Offset, Partition};

/// The phase of a partition, with the data that has a meaning only in that phase.
#[derive(Debug)]
pub(super) enum PartitionPhase {
    /// It belongs to this worker and waits for its turn to be opened.
    Assigned { reason: OpenReason },
    /// The checkpoint thread claims an epoch for it and restores its shard.
    Opening { reason: OpenReason, progress: RestoreProgress },
    /// The checkpoint thread claims it at the fence of the row store, to read it from `start_offset`.
    Claiming { reason: OpenReason, start_offset: Option<Offset>, claimed: Option<Box<OpenedPartition>> },
    /// Its records are processed.
    Running(Box<OwnedPartition>),
    /// Its records are processed while a snapshot of its shard is taken.
    Snapshotting(Box<OwnedPartition>, ActiveSnapshot),
    /// Its records are left to the next owner; its last checkpoint is taken.
    Draining(Box<OwnedPartition>, PartitionDrain),
    /// This worker has given it up. Nothing follows.
    Released,
    /// Another worker has claimed it, and the group has not confirmed that yet.
    Fenced { since: Duration },
}

/// Why a partition is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenReason {
    /// The group has assigned it to this worker.
    NewAssignment,
    /// It is read already and resumes from its last checkpoint: the row store lost rows, or another worker claimed it by
    /// mistake.
    Restart,
}

/// How far the checkpoint thread has come with restoring a shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RestoreProgress {
    Pending,
    /// The shard is restored; `None` without a checkpoint.
    Restored {
        checkpoint_offset: Option<Offset>,
    },
}

/// What is known of a partition that is being drained.
#[derive(Debug, Default)]
pub(super) struct PartitionDrain {
    pub(super) snapshot: Option<ActiveSnapshot>,
    /// The last checkpoint failed. It is not tried again.
    pub(super) final_checkpoint_failed: bool,
}

/// The name of a phase, without its data.
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
}

impl PhaseName {
    /// The name as log lines and `ARCHITECTURE.md` write it.
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
        }
    }

    /// Whether a partition in this phase may enter the phase `next`.
    pub(super) const fn may_become(self, next: Self) -> bool {
        match self {
            // Without checkpoints there is nothing to restore or to claim.
            Self::Assigned => matches!(next, Self::Opening | Self::Running | Self::Released),
            Self::Opening => matches!(next, Self::Claiming | Self::Released),
            Self::Claiming => matches!(next, Self::Running | Self::Fenced | Self::Released),
            Self::Running => {
                matches!(next, Self::Snapshotting | Self::Draining | Self::Released | Self::Fenced | Self::Assigned)
            }
            Self::Snapshotting => {
                matches!(next, Self::Running | Self::Draining | Self::Released | Self::Fenced | Self::Assigned)
            }
            Self::Draining => matches!(next, Self::Released | Self::Fenced | Self::Assigned),
            Self::Released => false,
            Self::Fenced => matches!(next, Self::Assigned | Self::Released),
        }
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transition that [`PhaseName::may_become`] rules out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("partition {partition} cannot go from {from} to {to}; this is a bug in Windrow")]
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

/// How often a partition was fenced since the group assigned it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FenceHistory {
    pub(super) times: u32,
    /// An offset to commit: the answer says whether the group still knows this worker as the owner.
    pub(super) confirm_offset: Option<Offset>,
}

/// A partition that belongs to this worker, or did until it was fenced.
#[derive(Debug)]
pub(super) struct TrackedPartition {
    partition: Partition,
    phase: PartitionPhase,
    entered_at: Duration,
    pub(super) fence_history: FenceHistory,
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
        }
    }

    /// Returns the shard and its bookkeeping where the phase has one, and drops the rest.
    fn into_owned(self) -> Option<Box<OwnedPartition>> {
        match self {
            Self::Running(owned) | Self::Snapshotting(owned, _) | Self::Draining(owned, _) => Some(owned),
            Self::Assigned { .. }
            | Self::Opening { .. }
            | Self::Claiming { .. }
            | Self::Released
            | Self::Fenced { .. } => None,
        }
    }
}

impl TrackedPartition {
    /// A partition that was just assigned.
    pub(super) fn assigned(partition: Partition, now: Duration) -> Self {
        Self {
            partition,
            phase: PartitionPhase::Assigned { reason: OpenReason::NewAssignment },
            entered_at: now,
            fence_history: FenceHistory::default(),
        }
    }

    pub(super) fn phase(&self) -> &PartitionPhase {
        &self.phase
    }

    /// Moves the partition to the phase `to`: the only place where a phase changes. `build` makes the data of the new phase
    /// out of the old one.
    ///
    /// # Errors
    /// When the transition is illegal; the phase stays as it is, and `build` is not called.
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
        debug_assert_eq!(phase.name(), to, "the data is that of another phase");
        self.phase = phase;
        let duration_ms = now.saturating_sub(self.entered_at).as_millis();
        self.entered_at = now;
        debug!(partition = self.partition, %from, %to, duration_ms, "partition phase changed");
        Ok(rest)
    }

    /// Puts the partition back in the queue of those to be opened; returns what it owned.
    pub(super) fn assign_again(
        &mut self,
        reason: OpenReason,
        now: Duration,
    ) -> Result<Option<Box<OwnedPartition>>, IllegalTransition> {
        if let PartitionPhase::Assigned { reason: known } = &mut self.phase {
            *known = reason;
            return Ok(None);
        }
        self.transition(PhaseName::Assigned, now, |old| (PartitionPhase::Assigned { reason }, old.into_owned()))
    }

    pub(super) fn start_opening(&mut self, reason: OpenReason, now: Duration) -> Result<(), IllegalTransition> {
        let progress = RestoreProgress::Pending;
        self.transition(PhaseName::Opening, now, |_| (PartitionPhase::Opening { reason, progress }, ()))
    }

    /// Takes note that the shard is restored up to `checkpoint_offset`.
    pub(super) fn set_restored(&mut self, checkpoint_offset: Option<Offset>) {
        if let PartitionPhase::Opening { progress, .. } = &mut self.phase {
            *progress = RestoreProgress::Restored { checkpoint_offset };
        }
    }

    pub(super) fn start_claiming(
        &mut self,
        reason: OpenReason,
        start_offset: Option<Offset>,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        let claiming = PartitionPhase::Claiming { reason, start_offset, claimed: None };
        self.transition(PhaseName::Claiming, now, |_| (claiming, ()))
    }

    /// Takes note that the partition is claimed at the fence.
    pub(super) fn set_claimed(&mut self, opened: Box<OpenedPartition>) {
        if let PartitionPhase::Claiming { claimed, .. } = &mut self.phase {
            *claimed = Some(opened);
        }
    }

    /// Takes out what was claimed, to run it.
    pub(super) fn take_claimed(&mut self) -> Option<Box<OpenedPartition>> {
        match &mut self.phase {
            PartitionPhase::Claiming { claimed, .. } => claimed.take(),
            _ => None,
        }
    }

    pub(super) fn start_running(&mut self, owned: OwnedPartition, now: Duration) -> Result<(), IllegalTransition> {
        self.transition(PhaseName::Running, now, |_| (PartitionPhase::Running(Box::new(owned)), ()))
    }

    /// Begins a snapshot; while draining it is the last one.
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

    /// Ends the snapshot that is being taken, and returns it; `None` without one.
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

    /// Stops processing its records; a snapshot that is being taken goes on. Does nothing where it is draining already.
    pub(super) fn start_draining(&mut self, now: Duration) -> Result<(), IllegalTransition> {
        if matches!(self.phase, PartitionPhase::Draining(..)) {
            return Ok(());
        }
        self.transition(PhaseName::Draining, now, |old| match old {
            PartitionPhase::Running(owned) => (PartitionPhase::Draining(owned, PartitionDrain::default()), ()),
            PartitionPhase::Snapshotting(owned, snapshot) => {
                let drain = PartitionDrain { snapshot: Some(snapshot), ..PartitionDrain::default() };
                (PartitionPhase::Draining(owned, drain), ())
            }
            other => (other, ()),
        })
    }

    /// Gives the partition up; returns what it owned.
    pub(super) fn release(&mut self, now: Duration) -> Result<Option<Box<OwnedPartition>>, IllegalTransition> {
        self.transition(PhaseName::Released, now, |old| (PartitionPhase::Released, old.into_owned()))
    }

    /// Takes note that another worker has claimed the partition. `confirm_offset` is kept where none is known yet.
    pub(super) fn fence(&mut self, confirm_offset: Option<Offset>, now: Duration) -> Result<(), IllegalTransition> {
        self.transition(PhaseName::Fenced, now, |_| (PartitionPhase::Fenced { since: now }, ()))?;
        self.fence_history.times += 1;
        self.fence_history.confirm_offset = confirm_offset.or(self.fence_history.confirm_offset);
        Ok(())
    }

    /// Waits once more for the group to say whose the partition is.
    pub(super) fn restart_fence_delay(&mut self, now: Duration) {
        if let PartitionPhase::Fenced { since } = &mut self.phase {
            *since = now;
        }
    }

    /// Its shard and bookkeeping, in the phases that process records.
    #[inline]
    pub(super) fn running_mut(&mut self) -> Option<&mut OwnedPartition> {
        match &mut self.phase {
            PartitionPhase::Running(owned) | PartitionPhase::Snapshotting(owned, _) => Some(owned),
            _ => None,
        }
    }

    /// Its shard and bookkeeping, in all phases that have one.
    pub(super) fn owned(&self) -> Option<&OwnedPartition> {
        match &self.phase {
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => Some(owned),
            _ => None,
        }
    }

    /// As [`Self::owned`].
    pub(super) fn owned_mut(&mut self) -> Option<&mut OwnedPartition> {
        match &mut self.phase {
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => Some(owned),
            _ => None,
        }
    }

    pub(super) fn drain_mut(&mut self) -> Option<&mut PartitionDrain> {
        match &mut self.phase {
            PartitionPhase::Draining(_, drain) => Some(drain),
            _ => None,
        }
    }

    pub(super) fn snapshot(&self) -> Option<&ActiveSnapshot> {
        match &self.phase {
            PartitionPhase::Snapshotting(_, snapshot) => Some(snapshot),
            PartitionPhase::Draining(_, drain) => drain.snapshot.as_ref(),
            _ => None,
        }
    }

    /// What it owns and the snapshot that is being taken of it.
    pub(super) fn owned_and_snapshot_mut(&mut self) -> Option<(&mut OwnedPartition, &mut ActiveSnapshot)> {
        match &mut self.phase {
            PartitionPhase::Snapshotting(owned, snapshot) => Some((owned, snapshot)),
            PartitionPhase::Draining(owned, drain) => drain.snapshot.as_mut().map(|snapshot| (&mut **owned, snapshot)),
            _ => None,
        }
    }

    /// Whether bounded input was read to its end here, or was not this worker's to read.
    pub(super) fn is_input_finished(&self) -> bool {
        match &self.phase {
            PartitionPhase::Assigned { reason }
            | PartitionPhase::Opening { reason, .. }
            | PartitionPhase::Claiming { reason, .. } => *reason != OpenReason::Restart,
            PartitionPhase::Running(owned)
            | PartitionPhase::Snapshotting(owned, _)
            | PartitionPhase::Draining(owned, _) => owned.input_finished,
            PartitionPhase::Released => true,
            PartitionPhase::Fenced { .. } => false,
        }
    }

    pub(super) fn has_snapshot_in(&self, stage: SnapshotStage) -> bool {
        self.snapshot().is_some_and(|snapshot| snapshot.stage == stage)
    }
}

#[cfg(test)]
mod tests;

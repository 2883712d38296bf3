//! Partitions that come and go.
//!
//! Owns: what happens between the group's announcement and the answer to it: opening partitions in the keeper, a last
//! checkpoint before one is given up; and what happens when a partition is lost. Does not own: the group (the source).
//! Invariants: (1) announcements are dealt with one after another, in their order; (2) meanwhile the other partitions are
//! worked on; (3) a partition is given up with a last checkpoint where that is possible within [`LEAVE_PATIENCE`], and
//! without it otherwise: whoever comes next fences us.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{error, info, warn};

use super::Worker;
use super::owned::Owned;
use crate::checkpoint::{Opened, Task};
use crate::metrics::now_ms;
use crate::{
    Clock, DeadLetters, Epoch, Halt, Loss, Lost, MarkKind, Offset, Origin, Partition, Positions, RestoredEvent, Sink,
    Source,
};

/// How long the group waits for a last checkpoint.
const LEAVE_PATIENCE: Duration = Duration::from_secs(15);
/// How long the group may take to say that a partition of ours is somebody else's. A process that stood still is told at
/// its first heartbeat.
const FENCED_PATIENCE: Duration = Duration::from_secs(10);
/// How often a partition that the group says is ours may be claimed back.
const FENCED_MAX: u32 = 5;

/// A partition that somebody else has claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fenced {
    /// Since when; `None` while it is being claimed back.
    since: Option<Duration>,
    /// How often this has happened since the group gave it to us.
    times: u32,
    /// Something to commit, by which the group tells whether it is still ours.
    offset: Option<Offset>,
}

/// What is to happen to partitions.
#[derive(Debug)]
pub(super) enum Coming {
    Assigned(Vec<Partition>),
    Revoked {
        partitions: Vec<Partition>,
        lost: bool,
    },
    /// The partition is still ours, and begins again at its last checkpoint: the store of rows went back, or somebody who
    /// stood still claimed it by mistake.
    Again(Partition),
}

/// What is happening to partitions.
#[derive(Debug)]
pub(super) enum Change {
    /// They are being opened: restored, then claimed at the fence.
    Opening(Opening),
    /// They are frozen, and their last checkpoints are being taken.
    Leaving { partitions: Vec<Partition>, until: Duration },
}

/// Partitions on their way in.
#[derive(Debug)]
pub(super) struct Opening {
    partitions: Vec<Partition>,
    /// Restored, up to this offset.
    found: BTreeMap<Partition, Option<Offset>>,
    /// Where they are read from, once that was asked.
    starts: Option<Positions>,
    opened: BTreeMap<Partition, Opened>,
    /// Somebody else has claimed these meanwhile.
    overtaken: Vec<Partition>,
    /// They are being read already, and go back.
    again: bool,
}

/// `partition 3`, `partitions 0, 1`.
fn named(partitions: &[Partition]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!("partition{} {}", if partitions.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

impl<S: Source, K: Sink, D: DeadLetters, C: Clock> Worker<S, K, D, C> {
    pub(super) fn go_on_with_changes(&mut self) -> Result<(), Halt> {
        self.mind_the_fenced()?;
        let now = self.clock.now();
        match self.change.take() {
            None => match self.coming.pop_front() {
                Some(coming) => self.begin_change(coming, now),
                None => Ok(()),
            },
            Some(Change::Opening(opening)) => self.go_on_with_opening(opening, now),
            Some(Change::Leaving { partitions, until }) => {
                if self.all_saved()? || now >= until {
                    self.let_go(&partitions)
                } else {
                    self.change = Some(Change::Leaving { partitions, until });
                    Ok(())
                }
            }
        }
    }

    fn begin_change(&mut self, coming: Coming, now: Duration) -> Result<(), Halt> {
        match coming {
            Coming::Assigned(partitions) => {
                self.fenced.retain(|partition, _| !partitions.contains(partition));
                self.open(partitions, false, now)
            }
            Coming::Again(partition) => self.open(vec![partition], true, now),
            Coming::Revoked { partitions, lost: true } => {
                warn!(?partitions, "partitions were lost to another member of the group");
                self.metrics.notes.mark(MarkKind::Revoked, format!("lost {}", named(&partitions)));
                for &partition in &partitions {
                    self.forget_snapshot(partition)?;
                    self.shards.remove(&partition);
                }
                self.forget_moves(&partitions);
                self.source.release(&partitions)
            }
            Coming::Revoked { partitions, lost: false } => {
                self.fenced.retain(|partition, _| !partitions.contains(partition));
                for (_, owned) in self.shards.iter_mut().filter(|(partition, _)| partitions.contains(partition)) {
                    owned.frozen = true;
                }
                self.change = Some(Change::Leaving { partitions, until: now + LEAVE_PATIENCE });
                Ok(())
            }
        }
    }

    fn open(&mut self, partitions: Vec<Partition>, again: bool, now: Duration) -> Result<(), Halt> {
        if !again && !partitions.is_empty() {
            self.metrics.notes.mark(MarkKind::Assigned, format!("assigned {}", named(&partitions)));
        }
        let Some(keeper) = &self.keeper else {
            let starts = self.source.starts(&partitions, &Positions::new())?;
            self.source.begin(&partitions, &starts)?;
            for partition in partitions {
                let origin = Origin { partition, epoch: 0 };
                let start = starts.get(&partition).copied();
                self.shards.insert(partition, Owned::without_checkpoints(self.job.shard(), origin, start, now));
            }
            return Ok(());
        };
        partitions.iter().try_for_each(|&partition| keeper.ask(Task::Open(partition)))?;
        let (found, opened, overtaken) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        self.change = Some(Change::Opening(Opening { partitions, found, starts: None, opened, overtaken, again }));
        Ok(())
    }

    fn go_on_with_opening(&mut self, mut opening: Opening, now: Duration) -> Result<(), Halt> {
        let all = opening.partitions.len();
        if opening.starts.is_none() && opening.found.len() == all {
            let found = opening.found.iter();
            let positions = found.filter_map(|(&partition, offset)| Some((partition, (*offset)?))).collect();
            let starts = self.source.starts(&opening.partitions, &positions)?;
            if let Some(keeper) = &self.keeper {
                for &partition in &opening.partitions {
                    keeper.ask(Task::Claim { partition, start: starts.get(&partition).copied() })?;
                }
            }
            opening.starts = Some(starts);
        }
        match opening {
            Opening { partitions, starts: Some(starts), opened, overtaken, again, .. }
                if opened.len() + overtaken.len() == all =>
            {
                if again {
                    self.source.seek(&starts)?;
                } else {
                    self.source.begin(&partitions, &starts)?;
                }
                let every = self.checkpoints.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.every);
                for (partition, opened) in opened {
                    self.say_opened(partition, &opened);
                    self.shards.insert(partition, Owned::new(opened, now, every));
                }
            }
            unfinished => self.change = Some(Change::Opening(unfinished)),
        }
        Ok(())
    }

    /// The keeper has restored `partition`, or cannot.
    pub(super) fn note_found(&mut self, partition: Partition, found: Result<Option<Offset>, Halt>) -> Result<(), Halt> {
        if let (Some(offset), Some(Change::Opening(opening))) = (self.unless_stopped(found)?, &mut self.change) {
            opening.found.insert(partition, offset);
        }
        Ok(())
    }

    /// The keeper has opened `partition`, or cannot.
    pub(super) fn note_opened(
        &mut self,
        partition: Partition,
        opened: Result<Result<Box<Opened>, Epoch>, Halt>,
    ) -> Result<(), Halt> {
        let (Some(opened), Some(Change::Opening(opening))) = (self.unless_stopped(opened)?, &mut self.change) else {
            return Ok(());
        };
        match opened {
            Ok(opened) => drop(opening.opened.insert(partition, *opened)),
            Err(theirs) => {
                opening.overtaken.push(partition);
                let offset = opening.starts.as_ref().and_then(|starts| starts.get(&partition)).copied();
                self.note_fenced(partition, theirs, offset);
            }
        }
        Ok(())
    }

    /// What the keeper has, or nothing where it gave up because of a stop.
    fn unless_stopped<T>(&self, outcome: Result<T, Halt>) -> Result<Option<T>, Halt> {
        match outcome {
            Err(_) if self.stop.requested() => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    fn say_opened(&self, partition: Partition, opened: &Opened) {
        let (epoch, start) = (opened.origin.epoch, opened.position);
        match &opened.restored {
            Some(restored) => {
                let (took_ms, bytes, entities) = (restored.took.as_millis(), restored.bytes, restored.entities);
                let from = restored.from.as_deref();
                info!(partition, epoch, checkpoint = %restored.id, from, offset = start, entities, bytes, took_ms, "restored");
                self.metrics.checkpoints.restored(RestoredEvent {
                    partition,
                    id: restored.id,
                    at_ms: now_ms(),
                    took: restored.took,
                    from: restored.from.clone(),
                    offset: start,
                });
            }
            None => info!(partition, epoch, offset = start, "no checkpoint yet: beginning with empty state"),
        }
    }

    /// The last checkpoints are complete, or there is no time left for them.
    fn let_go(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        if !partitions.is_empty() {
            self.metrics.notes.mark(MarkKind::Revoked, format!("gave up {}", named(partitions)));
        }
        let mut positions = Positions::new();
        for &partition in partitions {
            self.forget_snapshot(partition)?;
            let Some(owned) = self.shards.remove(&partition) else { continue };
            if owned.has_news() {
                error!(
                    partition,
                    "gave the partition up without a last checkpoint; what follows the one before is read again"
                );
            }
            positions.extend(owned.kept.map(|kept| (partition, kept)));
        }
        if !positions.is_empty() {
            self.source.commit(&positions, true)?;
        }
        self.forget_moves(partitions);
        self.source.release(partitions)
    }

    /// They are no longer ours: nothing that was to be done about them is.
    fn forget_moves(&mut self, partitions: &[Partition]) {
        self.fenced.retain(|partition, _| !partitions.contains(partition));
        self.coming.retain(|coming| !matches!(coming, Coming::Again(partition) if partitions.contains(partition)));
    }

    /// Bounded input has ended: whether every partition of ours was read to its end here.
    pub(super) fn is_done(&self) -> bool {
        let going_back = self.coming.iter().any(|coming| matches!(coming, Coming::Again(_)))
            || matches!(&self.change, Some(Change::Opening(Opening { again: true, .. })));
        !going_back
            && self.fenced.values().all(|fenced| fenced.since.is_none())
            && self.shards.values().all(|owned| owned.finished)
    }

    /// Takes note of the partitions whose rows the store no longer takes.
    pub(super) fn mind_losses(&mut self) -> Result<(), Halt> {
        for Lost { origin, why } in self.sink.lost() {
            match why {
                Loss::Fenced(epoch) => self.lose(origin, epoch),
                Loss::Rewound => {
                    let partition = origin.partition;
                    if self.shards.get(&partition).is_none_or(|owned| owned.origin != origin) {
                        continue;
                    }
                    error!(
                        partition,
                        "the store of rows has lost rows that it had acknowledged; going back to the last checkpoint to \
                         write them again"
                    );
                    self.forget_snapshot(partition)?;
                    self.shards.remove(&partition);
                    self.coming.push_back(Coming::Again(partition));
                }
            }
        }
        Ok(())
    }

    /// Somebody has claimed a partition under a larger `epoch`.
    pub(super) fn lose(&mut self, origin: Origin, epoch: Epoch) {
        let partition = origin.partition;
        if self.shards.get(&partition).is_none_or(|owned| owned.origin != origin) {
            return;
        }
        let offset = self.shards.remove(&partition).and_then(|owned| owned.kept.or(owned.position));
        self.metrics.checkpoints.given_up(partition);
        self.note_fenced(partition, epoch, offset);
    }

    fn note_fenced(&mut self, partition: Partition, theirs: Epoch, offset: Option<Offset>) {
        warn!(
            partition,
            theirs,
            "another worker has taken this partition over while we were away: nothing more is written for it here"
        );
        self.metrics.checkpoints.fenced.add(1);
        let before = self.fenced.get(&partition);
        let (times, offset) = before.map_or((0, offset), |before| (before.times, offset.or(before.offset)));
        self.fenced.insert(partition, Fenced { since: Some(self.clock.now()), times: times + 1, offset });
    }

    /// A partition that a member of our group has claimed is soon taken from us by the group. If it is not, and the group
    /// says that it is ours, it was claimed by somebody who did not know that it was no longer theirs: it is claimed back.
    fn mind_the_fenced(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        let overdue = |fenced: &Fenced| fenced.since.is_some_and(|since| now.saturating_sub(since) >= FENCED_PATIENCE);
        let Some((&partition, &fenced)) = self.fenced.iter().find(|(_, fenced)| overdue(fenced)) else { return Ok(()) };
        if fenced.times > FENCED_MAX {
            return Err(Halt::Fenced(format!(
                "partition {partition} is taken over again and again by a process that is not a member of our consumer group, \
                 but uses the same checkpoint store or Redis, pipeline name and group name. Two jobs need two groups"
            )));
        }
        let confirmed = match fenced.offset {
            Some(offset) => self.source.confirm(&Positions::from([(partition, offset)]))?,
            None => false,
        };
        let since = if confirmed { None } else { Some(now) };
        self.fenced.insert(partition, Fenced { since, ..fenced });
        if confirmed {
            info!(partition, "the group says that this partition is ours: claiming it back");
            self.coming.push_back(Coming::Again(partition));
        }
        Ok(())
    }
}

//! What became of checkpoints: counts, the last one's size and time, and the newest as a list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Counter;
use crate::checkpoint::CheckpointId;
use crate::{Epoch, Offset, Partition};

/// Checkpoints, and restored partitions, remembered per worker.
const REMEMBERED: usize = 50;

/// A checkpoint of one partition, or its part of a savepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointEvent {
    /// The partition.
    pub partition: Partition,
    /// The epoch in which it is taken.
    pub epoch: Epoch,
    /// Its number; `None` while it is under way.
    pub number: Option<u64>,
    /// The savepoint it is part of.
    pub savepoint: Option<String>,
    /// How it stands.
    pub state: CheckpointState,
    /// When it was cut, in epoch milliseconds of the wall clock; and when it ended.
    pub began_at_ms: i64,
    /// See [`Self::began_at_ms`].
    pub ended_at_ms: Option<i64>,
    /// The offset it holds the state of.
    pub offset: Offset,
    /// Where it lies.
    pub place: String,
}

/// How a checkpoint stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckpointState {
    /// It is being taken.
    UnderWay,
    /// It counts.
    Complete {
        /// Bytes that it added.
        added_bytes: u64,
        /// Bytes of all its layers.
        state_bytes: u64,
    },
    /// It does not, for this reason.
    Failed(String),
}

/// A partition that was restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoredEvent {
    /// The partition.
    pub partition: Partition,
    /// From which checkpoint.
    pub id: CheckpointId,
    /// When, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
    /// How long it took.
    pub took: Duration,
    /// The place of the savepoint that this job began from.
    pub from: Option<String>,
    /// Where reading goes on.
    pub offset: Option<Offset>,
}

#[derive(Debug, Default)]
struct Log {
    /// One per partition at a time.
    under_way: BTreeMap<Partition, CheckpointEvent>,
    /// Oldest first.
    ended: VecDeque<CheckpointEvent>,
    restored: VecDeque<RestoredEvent>,
}

fn keep<T>(list: &mut VecDeque<T>, event: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(event);
}

/// What became of one worker's checkpoints.
#[derive(Debug, Default)]
pub struct CheckpointMetrics {
    /// Checkpoints that are complete.
    pub completed: Counter,
    /// Those that failed.
    pub failed: Counter,
    /// Partitions that somebody else took over while this worker believed to own them.
    pub fenced: Counter,
    /// Partitions restored from a checkpoint.
    pub restores: Counter,
    /// Bytes of what the last checkpoint added, and of everything it consists of.
    bytes: [AtomicU64; 2],
    /// From the cut of the last checkpoint to its completion, in milliseconds.
    duration_ms: AtomicU64,
    /// The longest that saving has kept the worker from its records, in microseconds.
    pause_us_max: AtomicU64,
    /// Age of the oldest last good checkpoint among the worker's partitions, in milliseconds; `u64::MAX` without any.
    age_ms: AtomicU64,
    /// Epoch and number of the checkpoint restored last, and how long that took in milliseconds.
    restored: [AtomicU64; 3],
    log: Mutex<Log>,
}

impl CheckpointMetrics {
    pub(crate) fn complete(&self, bytes: (u64, u64), took: Duration) {
        self.completed.add(1);
        self.bytes[0].store(bytes.0, Ordering::Relaxed);
        self.bytes[1].store(bytes.1, Ordering::Relaxed);
        self.duration_ms.store(millis(took), Ordering::Relaxed);
    }

    pub(crate) fn paused(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pause_us_max.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_age(&self, age: Option<Duration>) {
        self.age_ms.store(age.map_or(u64::MAX, millis), Ordering::Relaxed);
    }

    pub(crate) fn restored(&self, event: RestoredEvent) {
        let RestoredEvent { id, took, .. } = event;
        self.restores.add(1);
        keep(&mut self.log().restored, event);
        for (place, number) in self.restored.iter().zip([id.epoch, id.number, millis(took)]) {
            place.store(number, Ordering::Relaxed);
        }
    }

    /// A checkpoint, or a partition's part of a savepoint, is begun.
    pub(crate) fn begun(&self, event: CheckpointEvent) {
        self.log().under_way.insert(event.partition, event);
    }

    /// The one of `partition` that is under way has ended, as `end` says.
    pub(crate) fn ended(&self, partition: Partition, end: impl FnOnce(&mut CheckpointEvent)) {
        let mut log = self.log();
        if let Some(mut event) = log.under_way.remove(&partition) {
            end(&mut event);
            keep(&mut log.ended, event);
        }
    }

    /// The one of `partition` that is under way, if there is one, is given up: neither complete nor failed.
    pub(crate) fn given_up(&self, partition: Partition) {
        self.log().under_way.remove(&partition);
    }

    /// Checkpoints under way, and the newest that have ended: newest first.
    #[must_use]
    pub fn events(&self) -> Vec<CheckpointEvent> {
        let log = self.log();
        let mut events: Vec<_> = log.under_way.values().chain(&log.ended).cloned().collect();
        drop(log);
        events.sort_by_key(|event| Reverse(event.began_at_ms));
        events
    }

    /// How many are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.log().under_way.len()
    }

    /// Partitions restored lately, newest first.
    #[must_use]
    pub fn restored_lately(&self) -> Vec<RestoredEvent> {
        self.log().restored.iter().rev().cloned().collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that the last complete checkpoint added.
    #[must_use]
    pub fn added_bytes(&self) -> u64 {
        self.bytes[0].load(Ordering::Relaxed)
    }

    /// Bytes that the last complete checkpoint consists of.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        self.bytes[1].load(Ordering::Relaxed)
    }

    /// How long the last complete checkpoint took, from its cut.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms.load(Ordering::Relaxed))
    }

    /// The longest that saving has kept the worker from its records.
    #[must_use]
    pub fn pause_max(&self) -> Duration {
        Duration::from_micros(self.pause_us_max.load(Ordering::Relaxed))
    }

    /// How long ago the last good checkpoint was cut, for the partition where that is longest; `None` without partitions.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match self.age_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    /// The checkpoint restored last and how long that took.
    #[must_use]
    pub fn last_restored(&self) -> Option<(CheckpointId, Duration)> {
        let [epoch, number, ms] = [0, 1, 2].map(|at: usize| self.restored[at].load(Ordering::Relaxed));
        (epoch > 0).then_some((CheckpointId { epoch, number }, Duration::from_millis(ms)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

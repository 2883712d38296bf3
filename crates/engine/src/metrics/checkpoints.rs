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
const MAX_REMEMBERED: usize = 50;

/// A checkpoint of one partition, or its part of a savepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRecord {
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
    pub started_at_ms: i64,
    /// See [`Self::started_at_ms`].
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
    InProgress,
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
pub struct RestoreRecord {
    /// The partition.
    pub partition: Partition,
    /// From which checkpoint.
    pub checkpoint_id: CheckpointId,
    /// When, in epoch milliseconds of the wall clock.
    pub restored_at_ms: i64,
    /// How long it took.
    pub duration: Duration,
    /// The place of the savepoint that this job began from.
    pub savepoint_place: Option<String>,
    /// Where reading goes on.
    pub offset: Option<Offset>,
}

#[derive(Debug, Default)]
struct CheckpointHistory {
    /// One per partition at a time.
    in_progress: BTreeMap<Partition, CheckpointRecord>,
    /// Oldest first.
    ended: VecDeque<CheckpointRecord>,
    restored: VecDeque<RestoreRecord>,
}

fn push_bounded<T>(list: &mut VecDeque<T>, event: T) {
    if list.len() == MAX_REMEMBERED {
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
    pub partitions_fenced: Counter,
    /// Partitions restored from a checkpoint.
    pub restores: Counter,
    /// Bytes of what the last checkpoint added, and of everything it consists of.
    bytes: [AtomicU64; 2],
    /// From the cut of the last checkpoint to its completion, in milliseconds.
    last_duration_ms: AtomicU64,
    /// The longest that saving has kept the worker from its records, in microseconds.
    max_pause_us: AtomicU64,
    /// Age of the oldest last good checkpoint among the worker's partitions, in milliseconds; `u64::MAX` without any.
    oldest_age_ms: AtomicU64,
    /// Epoch and number of the checkpoint restored last, and how long that took in milliseconds.
    restored: [AtomicU64; 3],
    history: Mutex<CheckpointHistory>,
}

impl CheckpointMetrics {
    pub(crate) fn record_completed(&self, bytes: (u64, u64), took: Duration) {
        self.completed.add(1);
        self.bytes[0].store(bytes.0, Ordering::Relaxed);
        self.bytes[1].store(bytes.1, Ordering::Relaxed);
        self.last_duration_ms.store(to_millis(took), Ordering::Relaxed);
    }

    pub(crate) fn record_pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.max_pause_us.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_oldest_age(&self, age: Option<Duration>) {
        self.oldest_age_ms.store(age.map_or(u64::MAX, to_millis), Ordering::Relaxed);
    }

    pub(crate) fn record_restored(&self, event: RestoreRecord) {
        let RestoreRecord { checkpoint_id: id, duration: took, .. } = event;
        self.restores.add(1);
        push_bounded(&mut self.lock_history().restored, event);
        for (place, number) in self.restored.iter().zip([id.epoch, id.number, to_millis(took)]) {
            place.store(number, Ordering::Relaxed);
        }
    }

    /// A checkpoint, or a partition's part of a savepoint, is begun.
    pub(crate) fn record_started(&self, event: CheckpointRecord) {
        self.lock_history().in_progress.insert(event.partition, event);
    }

    /// The one of `partition` that is under way has ended, as `end` says.
    pub(crate) fn record_ended(&self, partition: Partition, end: impl FnOnce(&mut CheckpointRecord)) {
        let mut log = self.lock_history();
        if let Some(mut event) = log.in_progress.remove(&partition) {
            end(&mut event);
            push_bounded(&mut log.ended, event);
        }
    }

    /// The one of `partition` that is under way, if there is one, is given up: neither complete nor failed.
    pub(crate) fn record_abandoned(&self, partition: Partition) {
        self.lock_history().in_progress.remove(&partition);
    }

    /// Checkpoints under way, and the newest that have ended: newest first.
    #[must_use]
    pub fn recent_checkpoints(&self) -> Vec<CheckpointRecord> {
        let log = self.lock_history();
        let mut events: Vec<_> = log.in_progress.values().chain(&log.ended).cloned().collect();
        drop(log);
        events.sort_by_key(|event| Reverse(event.started_at_ms));
        events
    }

    /// How many are under way.
    #[must_use]
    pub fn in_progress_count(&self) -> usize {
        self.lock_history().in_progress.len()
    }

    /// Partitions restored lately, newest first.
    #[must_use]
    pub fn recent_restores(&self) -> Vec<RestoreRecord> {
        self.lock_history().restored.iter().rev().cloned().collect()
    }

    fn lock_history(&self) -> MutexGuard<'_, CheckpointHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub fn last_duration(&self) -> Duration {
        Duration::from_millis(self.last_duration_ms.load(Ordering::Relaxed))
    }

    /// The longest that saving has kept the worker from its records.
    #[must_use]
    pub fn max_pause(&self) -> Duration {
        Duration::from_micros(self.max_pause_us.load(Ordering::Relaxed))
    }

    /// How long ago the last good checkpoint was cut, for the partition where that is longest; `None` without partitions.
    #[must_use]
    pub fn oldest_age(&self) -> Option<Duration> {
        match self.oldest_age_ms.load(Ordering::Relaxed) {
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

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! What became of the checkpoints of a worker: counts, size and duration of the last one, and the newest as a list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counter::Counter;
use crate::checkpoint::{CheckpointId, CheckpointSize};
use crate::{Epoch, Offset, Partition};

/// Checkpoints, and restored partitions, that are remembered per worker.
const MAX_REMEMBERED: usize = 50;

/// A checkpoint of one partition, or the partition's part of a savepoint. Times are in epoch milliseconds of the wall
/// clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRecord {
    /// The partition.
    pub partition: Partition,
    /// The epoch in which it is taken.
    pub epoch: Epoch,
    /// Its number; `None` while it is in progress.
    pub number: Option<u64>,
    /// The savepoint it is part of.
    pub savepoint: Option<String>,
    /// Whether it is complete.
    pub state: CheckpointState,
    /// When it was cut.
    pub started_at_ms: i64,
    /// When it was completed, or failed.
    pub ended_at_ms: Option<i64>,
    /// The offset that it leads up to.
    pub offset: Offset,
    /// The store that it is written to.
    pub place: String,
}

/// The state of a checkpoint.
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
    /// It does not count, for this reason.
    Failed(String),
}

/// A partition that was restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreRecord {
    /// The partition.
    pub partition: Partition,
    /// The checkpoint it was restored from.
    pub checkpoint_id: CheckpointId,
    /// When, in epoch milliseconds of the wall clock.
    pub restored_at_ms: i64,
    /// How long it took.
    pub duration: Duration,
    /// The place of the savepoint that this job began from.
    pub savepoint_place: Option<String>,
    /// The offset that reading resumes at.
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

fn push_bounded<T>(list: &mut VecDeque<T>, record: T) {
    if list.len() == MAX_REMEMBERED {
        list.pop_front();
    }
    list.push_back(record);
}

/// What became of the checkpoints of one worker.
#[derive(Debug, Default)]
pub struct CheckpointMetrics {
    /// Checkpoints that are complete.
    pub completed: Counter,
    /// Checkpoints that failed.
    pub failed: Counter,
    /// Partitions that another worker claimed while this worker still took itself for the owner.
    pub partitions_fenced: Counter,
    /// Partitions restored from a checkpoint.
    pub restores: Counter,
    last_added_bytes: AtomicU64,
    last_state_bytes: AtomicU64,
    /// From the cut of the last checkpoint to its completion, in milliseconds.
    last_duration_ms: AtomicU64,
    /// The longest that saving has kept the worker from its records, in microseconds.
    max_pause_us: AtomicU64,
    /// Age of the oldest last good checkpoint among the worker's partitions, in milliseconds; `u64::MAX` without any.
    oldest_age_ms: AtomicU64,
    history: Mutex<CheckpointHistory>,
}

impl CheckpointMetrics {
    pub(crate) fn record_completed(&self, size: CheckpointSize, duration: Duration) {
        self.completed.add(1);
        self.last_added_bytes.store(size.added_bytes, Ordering::Relaxed);
        self.last_state_bytes.store(size.state_bytes, Ordering::Relaxed);
        self.last_duration_ms.store(to_millis(duration), Ordering::Relaxed);
    }

    pub(crate) fn record_pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.max_pause_us.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_oldest_age(&self, age: Option<Duration>) {
        self.oldest_age_ms.store(age.map_or(u64::MAX, to_millis), Ordering::Relaxed);
    }

    pub(crate) fn record_restored(&self, record: RestoreRecord) {
        self.restores.add(1);
        push_bounded(&mut self.lock_history().restored, record);
    }

    /// Records that a checkpoint, or a partition's part of a savepoint, was begun.
    pub(crate) fn record_started(&self, record: CheckpointRecord) {
        self.lock_history().in_progress.insert(record.partition, record);
    }

    /// Records that the checkpoint of `partition` in progress has ended; `complete` fills in how.
    pub(crate) fn record_ended(&self, partition: Partition, complete: impl FnOnce(&mut CheckpointRecord)) {
        let mut history = self.lock_history();
        if let Some(mut record) = history.in_progress.remove(&partition) {
            complete(&mut record);
            push_bounded(&mut history.ended, record);
        }
    }

    /// Forgets the checkpoint of `partition` in progress, if there is one: it is neither complete nor failed.
    pub(crate) fn record_abandoned(&self, partition: Partition) {
        self.lock_history().in_progress.remove(&partition);
    }

    /// Returns the checkpoints in progress and the last that have ended, newest first.
    #[must_use]
    pub fn recent_checkpoints(&self) -> Vec<CheckpointRecord> {
        let history = self.lock_history();
        let mut records: Vec<_> = history.in_progress.values().chain(&history.ended).cloned().collect();
        drop(history);
        records.sort_by_key(|record| Reverse(record.started_at_ms));
        records
    }

    /// Returns how many checkpoints are in progress.
    #[must_use]
    pub fn in_progress_count(&self) -> usize {
        self.lock_history().in_progress.len()
    }

    /// Returns the partitions restored last, newest first.
    #[must_use]
    pub fn recent_restores(&self) -> Vec<RestoreRecord> {
        self.lock_history().restored.iter().rev().cloned().collect()
    }

    fn lock_history(&self) -> MutexGuard<'_, CheckpointHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes that the last complete checkpoint added.
    #[must_use]
    pub fn added_bytes(&self) -> u64 {
        self.last_added_bytes.load(Ordering::Relaxed)
    }

    /// Returns the bytes that the last complete checkpoint consists of.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        self.last_state_bytes.load(Ordering::Relaxed)
    }

    /// Returns how long the last complete checkpoint took, from its cut.
    #[must_use]
    pub fn last_duration(&self) -> Duration {
        Duration::from_millis(self.last_duration_ms.load(Ordering::Relaxed))
    }

    /// Returns the longest that saving has kept the worker from its records.
    #[must_use]
    pub fn max_pause(&self) -> Duration {
        Duration::from_micros(self.max_pause_us.load(Ordering::Relaxed))
    }

    /// Returns how long ago the last good checkpoint was cut, for the partition where that is longest; `None` without
    /// partitions.
    #[must_use]
    pub fn oldest_age(&self) -> Option<Duration> {
        match self.oldest_age_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }
}

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Metrics of a worker's checkpoints: counts, the size and duration of the last checkpoint, and lists of the newest
//! checkpoints and restores.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::counter::Counter;
use crate::checkpoint::{CheckpointId, CheckpointSize};
use crate::{Epoch, Offset, Partition};

/// The maximum number of ended checkpoints that a worker remembers. The same maximum applies to restores.
const MAX_REMEMBERED_CHECKPOINTS: usize = 50;

/// A checkpoint of one partition, or the copy of one partition's state for a savepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRecord {
    /// The partition whose state is saved.
    pub partition: Partition,
    /// The epoch under which the worker owned the partition.
    pub epoch: Epoch,
    /// The number that distinguishes the checkpoint from other checkpoints of its partition; `None` while the
    /// checkpoint is in progress.
    pub checkpoint_number: Option<u64>,
    /// The name of the savepoint that the saved state belongs to; `None` for a checkpoint.
    pub savepoint_id: Option<String>,
    /// Whether the checkpoint is in progress, complete or failed.
    pub state: CheckpointState,
    /// The wall-clock time of the snapshot's cut, in epoch milliseconds.
    pub started_at_ms: i64,
    /// The wall-clock time at which the checkpoint completed or failed, in epoch milliseconds. `None` while the
    /// checkpoint is in progress.
    pub ended_at_ms: Option<i64>,
    /// The offset of the first record that the checkpoint does not include.
    pub offset: Offset,
    /// The path or the URL of the store that the checkpoint is written to.
    pub store_place: String,
}

/// The state of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckpointState {
    /// The checkpoint is being taken.
    InProgress,
    /// The checkpoint is complete, so the partition can be restored from this checkpoint.
    Complete {
        /// The size of the newest layer in bytes.
        added_bytes: u64,
        /// The size of all layers in bytes.
        state_bytes: u64,
    },
    /// The checkpoint failed; the text is the reason.
    Failed(String),
}

/// The restore of a partition from a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreRecord {
    /// The restored partition.
    pub partition: Partition,
    /// The checkpoint that the partition was restored from.
    pub restored_checkpoint_id: CheckpointId,
    /// The wall-clock time of the restore, in epoch milliseconds.
    pub restored_at_ms: i64,
    /// The duration of the restore.
    pub restore_duration: Duration,
    /// The path or the URL of the savepoint that this job began from; `None` if the job began without a savepoint.
    pub origin_savepoint_place: Option<String>,
    /// The offset at which reading resumes after the restore; `None` if unknown.
    pub start_offset: Option<Offset>,
}

#[derive(Debug, Default)]
struct CheckpointHistory {
    /// The checkpoints in progress; a partition has at most one.
    in_progress_by_partition: BTreeMap<Partition, CheckpointRecord>,
    /// The ended checkpoints, oldest first.
    ended_checkpoints: VecDeque<CheckpointRecord>,
    restores: VecDeque<RestoreRecord>,
}

fn push_bounded<T>(list: &mut VecDeque<T>, record: T) {
    if list.len() == MAX_REMEMBERED_CHECKPOINTS {
        list.pop_front();
    }
    list.push_back(record);
}

/// Metrics of one worker's checkpoints.
#[derive(Debug, Default)]
pub struct CheckpointMetrics {
    /// The number of complete checkpoints.
    pub completed_checkpoints: Counter,
    /// The number of failed checkpoints.
    pub failed_checkpoints: Counter,
    /// The number of times that another worker claimed a partition while this worker opened or owned the partition.
    pub partitions_fenced: Counter,
    /// The number of times that the worker restored a partition from a checkpoint.
    pub partitions_restored: Counter,
    last_checkpoint_added_bytes: AtomicU64,
    last_checkpoint_total_bytes: AtomicU64,
    /// The time from the cut to the completion of the checkpoint that the worker completed last, in milliseconds.
    last_checkpoint_duration_ms: AtomicU64,
    /// The longest pause in the processing of records, in microseconds. The worker pauses while it saves a piece of a
    /// snapshot.
    longest_snapshot_pause_us: AtomicU64,
    /// Each partition has a time since its last complete checkpoint. This is the longest of these times among the
    /// worker's partitions, in milliseconds. `u64::MAX` if the worker owns no partition.
    longest_time_since_checkpoint_ms: AtomicU64,
    history: Mutex<CheckpointHistory>,
}

impl CheckpointMetrics {
    /// Counts a complete checkpoint. Stores the size and the duration of this checkpoint, which is now the last
    /// complete checkpoint.
    pub(crate) fn count_completed_checkpoint(&self, size: CheckpointSize, duration: Duration) {
        self.completed_checkpoints.add(1);
        self.last_checkpoint_added_bytes.store(size.newest_layer_byte_count, Ordering::Relaxed);
        self.last_checkpoint_total_bytes.store(size.all_layers_byte_count, Ordering::Relaxed);
        self.last_checkpoint_duration_ms.store(to_millis(duration), Ordering::Relaxed);
    }

    pub(crate) fn record_snapshot_pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.longest_snapshot_pause_us.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn set_longest_time_since_checkpoint(&self, age: Option<Duration>) {
        self.longest_time_since_checkpoint_ms.store(age.map_or(u64::MAX, to_millis), Ordering::Relaxed);
    }

    pub(crate) fn record_partition_restored(&self, record: RestoreRecord) {
        self.partitions_restored.add(1);
        push_bounded(&mut self.history.lock().restores, record);
    }

    /// Adds `record` to the checkpoints in progress. The record describes a checkpoint, or the copy of a partition's
    /// state for a savepoint.
    pub(crate) fn record_checkpoint_started(&self, record: CheckpointRecord) {
        self.history.lock().in_progress_by_partition.insert(record.partition, record);
    }

    /// Moves the checkpoint of `partition` that is in progress to the ended checkpoints. `fill_outcome` writes the
    /// outcome into the record of the checkpoint.
    pub(crate) fn record_checkpoint_ended(
        &self,
        partition: Partition,
        fill_outcome: impl FnOnce(&mut CheckpointRecord),
    ) {
        let mut history = self.history.lock();
        if let Some(mut record) = history.in_progress_by_partition.remove(&partition) {
            fill_outcome(&mut record);
            push_bounded(&mut history.ended_checkpoints, record);
        }
    }

    /// Removes the checkpoint of `partition`, if there is one, from the checkpoints in progress. This checkpoint counts
    /// neither as complete nor as failed.
    pub(crate) fn forget_checkpoint_in_progress(&self, partition: Partition) {
        self.history.lock().in_progress_by_partition.remove(&partition);
    }

    /// Returns the checkpoints in progress and the newest ended checkpoints. The checkpoint that started last comes
    /// first.
    #[must_use]
    pub fn recent_checkpoints(&self) -> Vec<CheckpointRecord> {
        let history = self.history.lock();
        let mut records: Vec<_> =
            history.in_progress_by_partition.values().chain(&history.ended_checkpoints).cloned().collect();
        drop(history);
        records.sort_by_key(|record| Reverse(record.started_at_ms));
        records
    }

    /// Returns the number of checkpoints in progress.
    #[must_use]
    pub fn checkpoints_in_progress_count(&self) -> usize {
        self.history.lock().in_progress_by_partition.len()
    }

    /// Returns the most recent restores of partitions, newest first.
    #[must_use]
    pub fn recent_restores(&self) -> Vec<RestoreRecord> {
        self.history.lock().restores.iter().rev().cloned().collect()
    }

    /// Returns the size in bytes of the newest layer of the checkpoint that the worker completed last, of any
    /// partition.
    #[must_use]
    pub fn last_checkpoint_added_bytes(&self) -> u64 {
        self.last_checkpoint_added_bytes.load(Ordering::Relaxed)
    }

    /// Returns the size in bytes of all layers of the checkpoint that the worker completed last, of any partition.
    #[must_use]
    pub fn last_checkpoint_total_bytes(&self) -> u64 {
        self.last_checkpoint_total_bytes.load(Ordering::Relaxed)
    }

    /// Returns the time from the cut to the completion of the checkpoint that the worker completed last, of any
    /// partition.
    #[must_use]
    pub fn last_checkpoint_duration(&self) -> Duration {
        Duration::from_millis(self.last_checkpoint_duration_ms.load(Ordering::Relaxed))
    }

    /// Returns the longest pause in the processing of records. The worker pauses while it saves a piece of a snapshot.
    #[must_use]
    pub fn longest_snapshot_pause(&self) -> Duration {
        Duration::from_micros(self.longest_snapshot_pause_us.load(Ordering::Relaxed))
    }

    /// Each partition has a time since its last complete checkpoint. Returns the longest of these times among the
    /// worker's partitions. Until a partition has completed a checkpoint in this worker, the time since its opening
    /// counts. Returns `None` if the worker owns no partition.
    #[must_use]
    pub fn longest_time_since_checkpoint(&self) -> Option<Duration> {
        match self.longest_time_since_checkpoint_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }
}

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

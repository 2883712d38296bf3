//! Feedback of the writer thread to one worker: acknowledged batches, refused rows, lost partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use windrow_engine::{Epoch, FenceToken, LostPartition, Partition, RefusedRow};

/// The feedback to one worker, shared by the worker's sink and the writer thread.
#[derive(Default, Debug)]
pub(crate) struct WorkerFeedback {
    acknowledged_batch_count: AtomicU64,
    refused_rows: Mutex<Vec<RefusedRow>>,
    partition_losses: Mutex<PartitionLosses>,
}

/// The losses of partitions that concern one worker. After a loss, the writer drops the rows of the partition's lost
/// epoch.
#[derive(Default, Debug)]
struct PartitionLosses {
    unreported_losses: Vec<LostPartition>,
    newest_lost_epochs: BTreeMap<Partition, Epoch>,
}

impl WorkerFeedback {
    /// Returns how many of the worker's batches Redis has acknowledged.
    pub(crate) fn acknowledged_batch_count(&self) -> u64 {
        self.acknowledged_batch_count.load(Ordering::Acquire)
    }

    /// Records that Redis has acknowledged one more batch of the worker.
    pub(crate) fn increment_acknowledged_batch_count(&self) {
        self.acknowledged_batch_count.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn add_refused_row(&self, row: RefusedRow) {
        self.refused_rows.lock().push(row);
    }

    pub(crate) fn take_refused_rows(&self) -> Vec<RefusedRow> {
        std::mem::take(&mut *self.refused_rows.lock())
    }

    /// Records for the worker that a partition is lost. Does nothing if a loss of the partition under the same or a
    /// larger epoch was already recorded.
    pub(crate) fn add_lost_partition(&self, lost: LostPartition) {
        let FenceToken { partition, epoch } = lost.fence_token;
        let losses = &mut *self.partition_losses.lock();
        if losses.newest_lost_epochs.get(&partition).is_none_or(|newest| *newest < epoch) {
            losses.newest_lost_epochs.insert(partition, epoch);
            losses.unreported_losses.push(lost);
        }
    }

    pub(crate) fn take_lost_partitions(&self) -> Vec<LostPartition> {
        std::mem::take(&mut self.partition_losses.lock().unreported_losses)
    }
}

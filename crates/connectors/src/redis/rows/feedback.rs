//! What the writer thread reports back to one worker: acknowledged batches, refused rows, lost partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use windrow_engine::{Epoch, FenceToken, LostPartition, Partition, RefusedRow};

/// Shared by one worker's sink and the writer thread.
#[derive(Default, Debug)]
pub(crate) struct WorkerFeedback {
    acknowledged_batches: AtomicU64,
    refused_rows: Mutex<Vec<RefusedRow>>,
    partition_losses: Mutex<PartitionLosses>,
}

/// The partitions that a worker lost.
#[derive(Default, Debug)]
struct PartitionLosses {
    unreported: Vec<LostPartition>,
    newest_lost_epochs: BTreeMap<Partition, Epoch>,
}

impl WorkerFeedback {
    /// Returns how many of the worker's batches Redis has acknowledged.
    pub(crate) fn acknowledged_batches(&self) -> u64 {
        self.acknowledged_batches.load(Ordering::Acquire)
    }

    /// Records that Redis has acknowledged the worker's next batch.
    pub(crate) fn acknowledge_batch(&self) {
        self.acknowledged_batches.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn add_refused_row(&self, row: RefusedRow) {
        self.refused_rows.lock().push(row);
    }

    pub(crate) fn take_refused_rows(&self) -> Vec<RefusedRow> {
        std::mem::take(&mut *self.refused_rows.lock())
    }

    /// Keeps a loss for the worker, unless this epoch of the partition or a later one was lost before.
    pub(crate) fn add_lost_partition(&self, lost: LostPartition) {
        let FenceToken { partition, epoch } = lost.fence_token;
        let losses = &mut *self.partition_losses.lock();
        if losses.newest_lost_epochs.get(&partition).is_none_or(|newest| *newest < epoch) {
            losses.newest_lost_epochs.insert(partition, epoch);
            losses.unreported.push(lost);
        }
    }

    pub(crate) fn take_lost_partitions(&self) -> Vec<LostPartition> {
        std::mem::take(&mut self.partition_losses.lock().unreported)
    }
}

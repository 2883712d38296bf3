//! The fences granted to this process, and whether they let the rows of a batch through.
//!
//! Owns: the expected value of each granted fence, and the decision which rows are written or dropped. Does not own:
//! reading and writing Redis.
//! Invariants: (1) a lost partition stays lost until a larger epoch is granted; (2) rows are sent only under the epoch
//! granted last. After a crash: nothing of this survives; the next owner claims again.

use std::collections::BTreeMap;

use windrow_core::ViewId;
use windrow_engine::{Epoch, FenceToken, LostPartition, Partition, PartitionLossReason};

use super::key::FenceKeys;
use super::value::FenceValue;
use crate::redis::fault::RedisFault;
use crate::redis::rows::batch::RowRun;

/// The fence of one partition, as this process expects it in Redis.
#[derive(Debug)]
struct ExpectedFence {
    /// What Redis acknowledged last.
    acknowledged: FenceValue,
    acknowledged_text: String,
    /// What was sent after that without a reply: Redis may hold it as well.
    unconfirmed_text: Option<String>,
    loss: Option<PartitionLossReason>,
}

/// The fences of all partitions that this process has claimed.
#[derive(Debug)]
pub(crate) struct GrantedFences {
    keys: FenceKeys,
    by_partition: BTreeMap<Partition, ExpectedFence>,
}

/// The rows of one partition in an in-flight batch, with the fence value that is written together with them.
#[derive(Debug)]
pub(crate) struct FencedBatch {
    pub(crate) fence_token: FenceToken,
    pub(crate) fence_key: String,
    /// What Redis held when it was asked; `None`: no value, or not asked yet.
    pub(crate) stored_value: Option<Vec<u8>>,
    pub(crate) next_text: String,
    next_value: FenceValue,
}

/// Which rows of an in-flight batch may be written.
#[derive(Default, Debug)]
pub(crate) struct FenceCheck {
    /// Partitions whose rows may be written, in their order.
    pub(crate) writable: Vec<FencedBatch>,
    /// Partitions whose rows are dropped.
    pub(crate) lost_partitions: Vec<LostPartition>,
}

impl FenceCheck {
    /// Whether rows of `fence_token` are dropped.
    pub(crate) fn drops_rows_of(&self, fence_token: FenceToken) -> bool {
        self.lost_partitions.iter().any(|lost| lost.fence_token == fence_token)
    }
}

impl GrantedFences {
    pub(crate) fn new(keys: FenceKeys) -> Self {
        Self { keys, by_partition: BTreeMap::new() }
    }

    pub(crate) fn fence_key(&self, partition: Partition) -> String {
        self.keys.key_of(partition)
    }

    /// Records that a claim was granted and that Redis holds `value`.
    pub(crate) fn record_granted(&mut self, partition: Partition, value: FenceValue) {
        let acknowledged_text = value.to_text();
        let fence = ExpectedFence { acknowledged: value, acknowledged_text, unconfirmed_text: None, loss: None };
        self.by_partition.insert(partition, fence);
    }

    /// Decides which rows of an in-flight batch may be written as far as this process knows, before Redis is asked.
    /// Rows of a partition without a claim are a bug of the caller.
    pub(crate) fn check_fences<'a>(&self, runs: impl Iterator<Item = &'a RowRun>) -> Result<FenceCheck, RedisFault> {
        let mut last_row_numbers: BTreeMap<(Partition, Epoch), BTreeMap<ViewId, u64>> = BTreeMap::new();
        for run in runs {
            let by_view = last_row_numbers.entry((run.fence_token.partition, run.fence_token.epoch)).or_default();
            let last = by_view.entry(run.view).or_default();
            *last = run.last_row_number.max(*last);
        }
        let mut check = FenceCheck::default();
        for ((partition, epoch), by_view) in last_row_numbers {
            let fence_token = FenceToken { partition, epoch };
            let granted = self.by_partition.get(&partition).filter(|fence| fence.acknowledged.epoch >= epoch);
            let Some(fence) = granted else { return Err(rows_without_claim(fence_token)) };
            let newest_epoch = fence.acknowledged.epoch;
            let overtaken = (newest_epoch > epoch).then_some(PartitionLossReason::Fenced(newest_epoch));
            if let Some(reason) = overtaken.or(fence.loss) {
                check.lost_partitions.push(LostPartition { fence_token, reason });
                continue;
            }
            let mut next_value = fence.acknowledged.clone();
            for (view, last_row_number) in by_view {
                let count = next_value.row_counts.get_mut(view.0).ok_or_else(|| rows_without_claim(fence_token))?;
                count.rows = count.rows.max(last_row_number);
            }
            let (fence_key, next_text) = (self.keys.key_of(partition), next_value.to_text());
            check.writable.push(FencedBatch { fence_token, fence_key, stored_value: None, next_text, next_value });
        }
        Ok(check)
    }

    /// Compares the stored values in `check` with the expected ones. Partitions whose fence differs become lost.
    pub(crate) fn check_stored_values(&mut self, check: &mut FenceCheck) -> Result<(), RedisFault> {
        for fenced in std::mem::take(&mut check.writable) {
            match self.find_loss(&fenced)? {
                None => check.writable.push(fenced),
                Some(reason) => {
                    check.lost_partitions.push(LostPartition { fence_token: fenced.fence_token, reason });
                }
            }
        }
        Ok(())
    }

    /// Returns why the stored value does not let the rows of `fenced` through, or `None` if it does.
    fn find_loss(&mut self, fenced: &FencedBatch) -> Result<Option<PartitionLossReason>, RedisFault> {
        let Some(fence) = self.by_partition.get_mut(&fenced.fence_token.partition) else {
            return Err(rows_without_claim(fenced.fence_token));
        };
        let is_unconfirmed =
            |stored: &[u8]| fence.unconfirmed_text.as_ref().is_some_and(|text| text.as_bytes() == stored);
        let reason = match fenced.stored_value.as_deref() {
            None => PartitionLossReason::StoreRewound,
            Some(stored) if stored == fence.acknowledged_text.as_bytes() || is_unconfirmed(stored) => return Ok(None),
            Some(stored) => match FenceValue::parse_stored(&fenced.fence_key, stored)?.epoch {
                epoch if epoch > fenced.fence_token.epoch => PartitionLossReason::Fenced(epoch),
                // No other process writes under this epoch: other counts or a smaller epoch are an earlier state.
                _ => PartitionLossReason::StoreRewound,
            },
        };
        fence.loss = Some(reason);
        Ok(Some(reason))
    }

    /// Records that the rows of `fenced_batches` are about to be sent. From now on their outcome is unknown.
    pub(crate) fn record_sent(&mut self, fenced_batches: &[FencedBatch]) {
        for fenced in fenced_batches {
            if let Some(fence) = self.by_partition.get_mut(&fenced.fence_token.partition) {
                fence.unconfirmed_text = Some(fenced.next_text.clone());
            }
        }
    }

    /// Records that the rows of `fenced_batches` are in Redis.
    pub(crate) fn record_acknowledged(&mut self, fenced_batches: Vec<FencedBatch>) {
        for FencedBatch { fence_token, next_value, next_text, .. } in fenced_batches {
            if let Some(fence) = self.by_partition.get_mut(&fence_token.partition) {
                (fence.acknowledged, fence.acknowledged_text, fence.unconfirmed_text) = (next_value, next_text, None);
            }
        }
    }
}

fn rows_without_claim(FenceToken { partition, epoch }: FenceToken) -> RedisFault {
    RedisFault::Bug(format!(
        "rows of partition {partition} under epoch {epoch} came to Redis without a claim; this is a bug in Windrow"
    ))
}

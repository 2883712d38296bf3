//! The fences granted to this process, and the check whether a batch may be written under these fences.
//!
//! Owns: the expected value of each granted fence, and the decision which rows are written or dropped. Does not own:
//! reading and writing Redis.
//! Invariants: (1) A lost partition stays lost until a claim with a larger epoch is granted. (2) Rows of a partition
//! are sent only under the epoch of the partition's latest granted claim. A restarted process has no granted fences. It
//! claims each partition again before it writes rows of this partition.

use std::collections::BTreeMap;

use windrow_core::ViewId;
use windrow_engine::{ClockDecisions, Epoch, FenceToken, LogPosition, LostPartition, Partition, PartitionLossReason};

use super::key::FenceKeyBuilder;
use super::value::FenceValue;
use crate::redis::fault::RedisFault;
use crate::redis::rows::batch::UniformRowRun;

/// The fence of one partition, as this process expects to find it in Redis.
#[derive(Debug)]
struct ExpectedFence {
    /// The value that Redis acknowledged last.
    last_acknowledged_value: FenceValue,
    last_acknowledged_text: String,
    /// A newer value that was sent but not acknowledged. The fence in Redis has either this value or the value that
    /// Redis acknowledged last.
    sent_unconfirmed_text: Option<String>,
    loss_reason: Option<PartitionLossReason>,
}

/// The fences of all partitions that this process has claimed.
#[derive(Debug)]
pub(crate) struct GrantedFences {
    fence_keys: FenceKeyBuilder,
    expected_fences: BTreeMap<Partition, ExpectedFence>,
}

/// The new fence value for one partition, written in the same transaction as the partition's rows.
#[derive(Debug)]
pub(crate) struct PartitionFenceUpdate {
    pub(crate) fence_token: FenceToken,
    pub(crate) fence_key: String,
    /// The value of the fence in Redis. `None` if the fence does not exist or was not yet read.
    pub(crate) stored_fence_value: Option<Vec<u8>>,
    pub(crate) next_fence_text: String,
    next_fence_value: FenceValue,
}

/// The last rows of a partition in a batch.
#[derive(Default, Debug)]
struct LastRows {
    row_number_by_view: BTreeMap<ViewId, u64>,
    /// The position after the record that caused the last row; `None` if no row has a number.
    read_position: Option<LogPosition>,
}

/// Says for each partition of an in-flight batch whether its rows may be written.
#[derive(Default, Debug)]
pub(crate) struct BatchFenceVerdict {
    /// The partitions whose rows may be written, in ascending order.
    pub(crate) writable_partitions: Vec<PartitionFenceUpdate>,
    /// The partitions whose rows are dropped.
    pub(crate) lost_partitions: Vec<LostPartition>,
}

impl BatchFenceVerdict {
    /// Returns whether rows with `fence_token` are dropped.
    pub(crate) fn drops_rows_of_partition(&self, fence_token: FenceToken) -> bool {
        self.lost_partitions.iter().any(|lost| lost.fence_token == fence_token)
    }
}

impl GrantedFences {
    pub(crate) fn new(fence_keys: FenceKeyBuilder) -> Self {
        Self { fence_keys, expected_fences: BTreeMap::new() }
    }

    pub(crate) fn fence_key(&self, partition: Partition) -> String {
        self.fence_keys.build_fence_key(partition)
    }

    /// Records that a claim to `partition` was granted, and that the fence in Redis has the value `value`.
    pub(crate) fn record_granted_fence(&mut self, partition: Partition, value: FenceValue) {
        let acknowledged_text = value.to_canonical_text();
        let fence = ExpectedFence {
            last_acknowledged_value: value,
            last_acknowledged_text: acknowledged_text,
            sent_unconfirmed_text: None,
            loss_reason: None,
        };
        self.expected_fences.insert(partition, fence);
    }

    /// Decides from the granted fences, without asking Redis, which rows of a batch may be written. `clock_decisions` gives
    /// the decisions that the new fence of a partition gets, if they have changed. Returns
    /// [`RedisFault::RowsWithoutClaim`] for rows of a partition that this process has not claimed.
    pub(crate) fn judge_batch_by_granted_fences<'a>(
        &self,
        runs: impl Iterator<Item = &'a UniformRowRun>,
        clock_decisions: impl Fn(FenceToken) -> Option<&'a ClockDecisions>,
    ) -> Result<BatchFenceVerdict, RedisFault> {
        let mut last_rows: BTreeMap<(Partition, Epoch), LastRows> = BTreeMap::new();
        for run in runs {
            let last = last_rows.entry((run.fence_token.partition, run.fence_token.epoch)).or_default();
            let last_number = last.row_number_by_view.entry(run.view).or_default();
            *last_number = run.largest_row_number.max(*last_number);
            let numbered = run.trigger_record.filter(|_| run.largest_row_number > 0);
            last.read_position = numbered.map(|trigger| trigger.next_position).or(last.read_position);
        }
        let mut verdict = BatchFenceVerdict::default();
        for ((partition, epoch), last) in last_rows {
            let fence_token = FenceToken { partition, epoch };
            let granted =
                self.expected_fences.get(&partition).filter(|fence| fence.last_acknowledged_value.epoch >= epoch);
            let Some(fence) = granted else { return Err(rows_without_claim_fault(fence_token)) };
            let newest_epoch = fence.last_acknowledged_value.epoch;
            let overtaken = (newest_epoch > epoch).then_some(PartitionLossReason::Fenced(newest_epoch));
            if let Some(reason) = overtaken.or(fence.loss_reason) {
                verdict.lost_partitions.push(LostPartition { fence_token, reason });
                continue;
            }
            let mut next_value = fence.last_acknowledged_value.clone();
            // An owner may write rows again that only some views lack. The position stays that of the rows of the others: up to
            // it, the next owner must repeat the decisions of the wall clock.
            let is_newer =
                |position: &LogPosition| next_value.read_position.is_none_or(|read| read.offset <= position.offset);
            next_value.read_position = last.read_position.filter(is_newer).or(next_value.read_position);
            if let Some(decisions) = clock_decisions(fence_token) {
                next_value.clock_decisions = decisions.clone();
            }
            for (view, last_row_number) in last.row_number_by_view {
                let count =
                    next_value.row_counts.get_mut(view.0).ok_or_else(|| rows_without_claim_fault(fence_token))?;
                count.last_row_number = count.last_row_number.max(last_row_number);
            }
            let (fence_key, next_text) = (self.fence_keys.build_fence_key(partition), next_value.to_canonical_text());
            verdict.writable_partitions.push(PartitionFenceUpdate {
                fence_token,
                fence_key,
                stored_fence_value: None,
                next_fence_text: next_text,
                next_fence_value: next_value,
            });
        }
        Ok(verdict)
    }

    /// Decides from the granted fences, without asking Redis, which of `fence_tokens` still own their partitions. The new
    /// value of each fence is its present one.
    pub(crate) fn judge_written_fences(
        &self,
        fence_tokens: impl Iterator<Item = FenceToken>,
    ) -> Result<BatchFenceVerdict, RedisFault> {
        let mut verdict = BatchFenceVerdict::default();
        for fence_token in fence_tokens {
            let fence = self.expected_fences.get(&fence_token.partition);
            let Some(fence) = fence else { return Err(rows_without_claim_fault(fence_token)) };
            let value = &fence.last_acknowledged_value;
            let overtaken = (value.epoch > fence_token.epoch).then_some(PartitionLossReason::Fenced(value.epoch));
            match overtaken.or(fence.loss_reason) {
                Some(reason) => verdict.lost_partitions.push(LostPartition { fence_token, reason }),
                None => verdict.writable_partitions.push(PartitionFenceUpdate {
                    fence_token,
                    fence_key: self.fence_keys.build_fence_key(fence_token.partition),
                    stored_fence_value: None,
                    next_fence_text: fence.last_acknowledged_text.clone(),
                    next_fence_value: value.clone(),
                }),
            }
        }
        Ok(verdict)
    }

    /// Compares the fences that Redis holds with the fences that this process expects. If the fence of a partition
    /// differs, moves the partition to the lost partitions of `verdict`. The rows of lost partitions are dropped.
    pub(crate) fn judge_batch_by_stored_fences(&mut self, verdict: &mut BatchFenceVerdict) -> Result<(), RedisFault> {
        for update in std::mem::take(&mut verdict.writable_partitions) {
            match self.find_and_record_loss_reason(&update)? {
                None => verdict.writable_partitions.push(update),
                Some(reason) => {
                    verdict.lost_partitions.push(LostPartition { fence_token: update.fence_token, reason });
                }
            }
        }
        Ok(())
    }

    /// Checks whether the stored fence in `update` permits the rows of the partition. If it forbids them, records and
    /// returns the reason; otherwise returns `None`.
    fn find_and_record_loss_reason(
        &mut self,
        update: &PartitionFenceUpdate,
    ) -> Result<Option<PartitionLossReason>, RedisFault> {
        let Some(fence) = self.expected_fences.get_mut(&update.fence_token.partition) else {
            return Err(rows_without_claim_fault(update.fence_token));
        };
        let is_unconfirmed =
            |stored: &[u8]| fence.sent_unconfirmed_text.as_ref().is_some_and(|text| text.as_bytes() == stored);
        let reason = match update.stored_fence_value.as_deref() {
            None => PartitionLossReason::StoreRewound,
            Some(stored) if stored == fence.last_acknowledged_text.as_bytes() || is_unconfirmed(stored) => {
                return Ok(None);
            }
            Some(stored) => match FenceValue::parse_stored_value(&update.fence_key, stored)?.epoch {
                epoch if epoch > update.fence_token.epoch => PartitionLossReason::Fenced(epoch),
                // Only this process writes the fence under the epoch of `update`. If the stored fence has other row
                // counts or a smaller epoch, Redis has returned to an earlier state.
                _ => PartitionLossReason::StoreRewound,
            },
        };
        fence.loss_reason = Some(reason);
        Ok(Some(reason))
    }

    /// Records that `updates` are about to be sent. Until Redis answers, each fence may have its old or its new value.
    pub(crate) fn record_fence_updates_in_flight(&mut self, updates: &[PartitionFenceUpdate]) {
        for update in updates {
            if let Some(fence) = self.expected_fences.get_mut(&update.fence_token.partition) {
                fence.sent_unconfirmed_text = Some(update.next_fence_text.clone());
            }
        }
    }

    /// Records that Redis has acknowledged the transaction with `updates`, so the fences in Redis have the new values
    /// of `updates`.
    pub(crate) fn record_fence_updates_acknowledged(&mut self, updates: Vec<PartitionFenceUpdate>) {
        for PartitionFenceUpdate { fence_token, next_fence_value: next_value, next_fence_text: next_text, .. } in
            updates
        {
            if let Some(fence) = self.expected_fences.get_mut(&fence_token.partition) {
                (fence.last_acknowledged_value, fence.last_acknowledged_text, fence.sent_unconfirmed_text) =
                    (next_value, next_text, None);
            }
        }
    }
}

fn rows_without_claim_fault(FenceToken { partition, epoch }: FenceToken) -> RedisFault {
    RedisFault::RowsWithoutClaim { partition, epoch }
}

//! The partitions that were granted to this process, and what their fences should say.
//!
//! Owns: judging what a fence says, which rows of a flight are to be dropped. Does not own: reading and writing it.
//! Invariants: (1) a partition that was lost stays lost until a larger epoch is granted; (2) rows are sent only under the
//! epoch that was granted last. After a crash: nothing of this survives; the next owner claims anew.

use std::collections::BTreeMap;

use windrow_core::ViewId;
use windrow_engine::{Epoch, FenceToken, LostPartition, Partition, PartitionLossReason};

use super::batch::InFlightBatch;
use super::fault::RedisFault;
use super::fence::{FenceKeys, FenceValue};

/// One partition.
#[derive(Debug)]
struct GrantedFence {
    /// What Redis acknowledged last.
    acknowledged: FenceValue,
    acknowledged_text: String,
    /// What was sent since and not answered: it may be there as well.
    unconfirmed_text: Option<String>,
    loss: Option<PartitionLossReason>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct GrantedFences {
    keys: FenceKeys,
    by_partition: BTreeMap<Partition, GrantedFence>,
}

/// One partition's rows in a flight, and what its fence says with them.
#[derive(Debug)]
pub(super) struct FencedBatch {
    pub(super) fence_token: FenceToken,
    pub(super) fence_key: String,
    pub(super) next_text: String,
    next_value: FenceValue,
}

/// What is known about a flight before Redis is asked.
#[derive(Default, Debug)]
pub(super) struct FenceCheck {
    /// Partitions whose rows may go, in their order.
    pub(super) writable: Vec<FencedBatch>,
    /// Partitions whose rows are dropped.
    pub(super) lost: Vec<LostPartition>,
}

impl FenceCheck {
    /// Whether rows of `origin` are dropped.
    pub(super) fn drops_rows_of(&self, origin: FenceToken) -> bool {
        self.lost.iter().any(|lost| lost.fence_token == origin)
    }
}

impl GrantedFences {
    pub(super) fn new(keys: FenceKeys) -> Self {
        Self { keys, by_partition: BTreeMap::new() }
    }

    /// The key of a partition's fence.
    pub(super) fn fence_key(&self, partition: Partition) -> String {
        self.keys.key_of(partition)
    }

    /// A claim was granted, and `value` is in Redis.
    pub(super) fn record_granted(&mut self, partition: Partition, value: FenceValue) {
        let text = value.to_text();
        self.by_partition.insert(
            partition,
            GrantedFence { acknowledged: value, acknowledged_text: text, unconfirmed_text: None, loss: None },
        );
    }

    /// Sorts the rows of `flight` by what may be done with them. The fault is a bug: rows that nobody claimed.
    pub(super) fn check_fences(&self, flight: &InFlightBatch) -> Result<FenceCheck, RedisFault> {
        let mut rows: BTreeMap<(Partition, Epoch), BTreeMap<ViewId, u64>> = BTreeMap::new();
        for run in flight.row_runs() {
            let numbers = rows.entry((run.fence_token.partition, run.fence_token.epoch)).or_default();
            let last = numbers.entry(run.view).or_default();
            *last = run.last_row_number.max(*last);
        }
        let mut boarding = FenceCheck::default();
        for ((partition, epoch), numbers) in rows {
            let origin = FenceToken { partition, epoch };
            let Some(holding) = self.by_partition.get(&partition).filter(|holding| holding.acknowledged.epoch >= epoch)
            else {
                return Err(rows_without_claim(origin));
            };
            let overtaken =
                (holding.acknowledged.epoch > epoch).then_some(PartitionLossReason::Fenced(holding.acknowledged.epoch));
            if let Some(why) = overtaken.or(holding.loss) {
                boarding.lost.push(LostPartition { fence_token: origin, reason: why });
                continue;
            }
            let mut value = holding.acknowledged.clone();
            for (view, number) in numbers {
                let count = value.counts.get_mut(view.0).ok_or_else(|| rows_without_claim(origin))?;
                count.rows = count.rows.max(number);
            }
            let text = value.to_text();
            boarding.writable.push(FencedBatch {
                fence_token: origin,
                fence_key: self.keys.key_of(partition),
                next_text: text,
                next_value: value,
            });
        }
        Ok(boarding)
    }

    /// Whether the fence of `passage`, which says `stored`, lets its rows through; if not, the partition is lost.
    pub(super) fn check_stored_value(
        &mut self,
        passage: &FencedBatch,
        stored: Option<&[u8]>,
    ) -> Result<Option<PartitionLossReason>, RedisFault> {
        let Some(holding) = self.by_partition.get_mut(&passage.fence_token.partition) else {
            return Err(rows_without_claim(passage.fence_token));
        };
        let loss = match stored {
            None => PartitionLossReason::StoreRewound,
            Some(stored) if stored == holding.acknowledged_text.as_bytes() => return Ok(None),
            Some(stored) if holding.unconfirmed_text.as_ref().is_some_and(|sent| sent.as_bytes() == stored) => {
                return Ok(None);
            }
            Some(stored) => match FenceValue::parse_stored(&passage.fence_key, stored)?.epoch {
                epoch if epoch > passage.fence_token.epoch => PartitionLossReason::Fenced(epoch),
                // Nobody else writes under this epoch: with other counts or a smaller epoch it is an earlier state.
                _ => PartitionLossReason::StoreRewound,
            },
        };
        holding.loss = Some(loss);
        Ok(Some(loss))
    }

    /// The rows of `passages` are about to be sent; from now on their outcome is open.
    pub(super) fn record_sent(&mut self, passages: &[FencedBatch]) {
        for passage in passages {
            if let Some(holding) = self.by_partition.get_mut(&passage.fence_token.partition) {
                holding.unconfirmed_text = Some(passage.next_text.clone());
            }
        }
    }

    /// The rows of `passages` are in Redis.
    pub(super) fn record_acknowledged(&mut self, passages: Vec<FencedBatch>) {
        for FencedBatch { fence_token: origin, next_value: value, next_text: text, .. } in passages {
            if let Some(holding) = self.by_partition.get_mut(&origin.partition) {
                (holding.acknowledged, holding.acknowledged_text, holding.unconfirmed_text) = (value, text, None);
            }
        }
    }
}

fn rows_without_claim(FenceToken { partition, epoch }: FenceToken) -> RedisFault {
    RedisFault::Bug(format!(
        "rows of partition {partition} under epoch {epoch} came to Redis without a claim; this is a bug in Windrow"
    ))
}

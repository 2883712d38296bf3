//! The fence of a row store accepts rows only from the current owner of their partition. A worker that has lost the
//! partition without noticing is refused.
//!
//! Owns: the contract between a worker and the fence. Does not own: epochs (the checkpoint store), the implementations
//! (the connectors). Invariants: (1) After a granted claim, the row store accepts no row of that partition under a
//! smaller epoch. (2) The row store updates a partition's row numbers in the transaction that writes the rows.
//! A row has the same number in every run ([`windrow_core::Row::row_number`]). A worker that resumes from a checkpoint
//! therefore knows which rows are already written, and does not write these rows again. So no reader sees an older
//! value replace a newer one.

use crate::Halt;
use crate::identifiers::{Epoch, FenceToken, Partition};

/// The number of rows that a partition has produced for one feature view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRowCount {
    /// The name of the view.
    pub view: String,
    /// A fingerprint of the offset at which counting started, and of the topic, the views and the decoding rules. Row
    /// numbers with different fingerprints cannot be compared.
    pub counting_start_fingerprint: u64,
    /// The number of the last row of the view; 0 before the first row.
    pub last_row_number: u64,
}

/// A worker's request to become the only writer of a partition's rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionClaim {
    /// The partition to claim.
    pub partition: Partition,
    /// The epoch under which the worker owns the partition.
    pub epoch: Epoch,
    /// The row counts in the partition's checkpoint: one for each view, in the pipeline's order.
    pub row_counts: Vec<ViewRowCount>,
}

/// The row store's answer to a [`PartitionClaim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// The row store grants the claim. Holds, for each view, the number of the last row in the row store. That number
    /// is at least the claim's count.
    Granted(Vec<u64>),
    /// The row store refuses the claim, because the partition is already claimed under the epoch given here. That
    /// epoch is equal to the claim's epoch, or larger.
    Stale(Epoch),
}

/// The fence of a row store.
pub trait RowFence: Send + Sync {
    /// Claims a partition at the fence, and waits while the row store is unreachable.
    ///
    /// # Errors
    /// When no retry resolves a fault of the row store, or when a stop was requested while the row store was
    /// unreachable.
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt>;
}

/// Grants every claim, for output that only this process writes (a file, the terminal).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRowFence;

impl RowFence for NoRowFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        Ok(ClaimOutcome::Granted(claim.row_counts.iter().map(|count| count.last_row_number).collect()))
    }
}

/// A partition whose rows the row store no longer accepts from this worker. The row store discards all later rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostPartition {
    /// The partition, and the epoch that is no longer valid.
    pub fence_token: FenceToken,
    /// The reason why the row store accepts no more rows.
    pub reason: PartitionLossReason,
}

/// The reason why a row store no longer accepts a worker's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionLossReason {
    /// Another worker claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The row store holds fewer rows than it has acknowledged, because it was emptied or failed over to a lagging
    /// replica. The rows since the last checkpoint must be computed and written again.
    StoreRewound,
}

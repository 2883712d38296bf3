//! The fence of a row store distinguishes the owner of a partition from a worker that has lost the partition unnoticed.
//!
//! Owns: the contract. Does not own: epochs (the checkpoint store), the implementations (the connectors).
//! Invariants: (1) After a granted claim, the row store accepts no row of that partition under a smaller epoch. (2) The
//! row store keeps the number of rows with the rows, in the same transaction.
//! A worker that resumes from a checkpoint thus knows which of its rows are already written. Row numbers mean the same
//! in every run ([`windrow_core::Row::row_number`]). So those rows are not written again, and no reader sees a value go
//! back.

use crate::Halt;
use crate::identifiers::{Epoch, FenceToken, Partition};

/// The number of rows that a partition has produced for one feature view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRowCount {
    /// The name of the view.
    pub view: String,
    /// Identifies where counting began and what is counted. Counts with different beginnings cannot be compared.
    pub beginning_fingerprint: u64,
    /// The number of the last row; 0 before the first row.
    pub last_row_number: u64,
}

/// A worker's request to write the rows of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionClaim {
    /// The partition to claim.
    pub partition: Partition,
    /// The epoch under which the worker owns the partition.
    pub epoch: Epoch,
    /// The row counts of the partition's checkpoint, for every view in the pipeline's order.
    pub row_counts: Vec<ViewRowCount>,
}

/// The row store's answer to a [`PartitionClaim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// The claim is granted. Per view, holds the number of the last row in the row store, which is at least the claim's
    /// count.
    Granted(Vec<u64>),
    /// The claim is refused, because the partition is already claimed under this epoch. The epoch is equal or larger.
    Stale(Epoch),
}

/// The fence of a row store.
pub trait RowFence: Send + Sync {
    /// Claims a partition. Waits while the row store is unreachable.
    ///
    /// # Errors
    /// When no retry resolves a fault of the row store, or when a stop was requested while the row store was
    /// unreachable.
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt>;
}

/// Grants every claim. Used for output that only this process can write to (a file, the terminal).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRowFence;

impl RowFence for NoRowFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        Ok(ClaimOutcome::Granted(claim.row_counts.iter().map(|count| count.last_row_number).collect()))
    }
}

/// A partition whose rows the row store no longer accepts from this worker. The row store discards rows that arrive
/// later.
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

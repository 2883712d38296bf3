//! The fence: how a store of rows tells the owner of a partition from a worker that has lost it without knowing.
//!
//! Owns: the contract. Does not own: epochs (the checkpoint store hands them out), any particular store.
//! Invariants: (1) once a claim was granted, the store takes no row of that partition under a smaller epoch; (2) with the
//! rows of a partition the store keeps, in the same transaction, how many of them there are. So a worker that resumes from a
//! checkpoint knows which of its rows are written already. The number of a row means the same in every run
//! ([`windrow_core::Row::number`]): those rows are not written again, and no reader sees a value go back.

use crate::Halt;
use crate::identifiers::{Epoch, FenceToken, Partition};

/// How many rows of one feature view a partition has produced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRowCount {
    /// The view's name.
    pub view: String,
    /// Identifies where counting began and what is counted. Counts with different beginnings cannot be compared.
    pub beginning: u64,
    /// The number of the last row; 0 before the first.
    pub rows: u64,
}

/// The request of a worker to write the rows of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionClaim {
    /// The partition.
    pub partition: Partition,
    /// The epoch under which the worker owns it.
    pub epoch: Epoch,
    /// The row counts of its checkpoint, for every view in the pipeline's order.
    pub row_counts: Vec<ViewRowCount>,
}

/// The answer to a [`PartitionClaim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// For every view of the claim, the number of the last row that is in the store already: at least the claim's own.
    Granted(Vec<u64>),
    /// The partition is claimed under this epoch already, which is not smaller.
    Stale(Epoch),
}

/// A store's side of the contract.
pub trait RowFence: Send + Sync {
    /// Claims a partition. Waits while the store is unreachable.
    ///
    /// # Errors
    /// A fault of the store that no retry resolves, or that it was unreachable until a stop was requested.
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt>;
}

/// The fence of output that only this process can write to (a file, the terminal).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRowFence;

impl RowFence for NoRowFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        Ok(ClaimOutcome::Granted(claim.row_counts.iter().map(|count| count.rows).collect()))
    }
}

/// A partition whose rows the store no longer takes from this worker; it discards those written since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostPartition {
    /// The partition, and the epoch that no longer counts.
    pub fence_token: FenceToken,
    /// Why the store takes no more rows.
    pub reason: PartitionLossReason,
}

/// Why a store no longer takes a worker's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionLossReason {
    /// The partition is claimed under this larger epoch.
    Fenced(Epoch),
    /// The store holds fewer rows than it has acknowledged, because it was emptied, or failed over to a replica that lagged.
    /// They must be computed and written again, from the last checkpoint on.
    StoreRewound,
}

//! The fence: how a store of rows tells the worker that owns a partition from one that only believes so.
//!
//! Owns: the contract. Does not own: epochs (the checkpoint store hands them out), any particular store.
//! Invariants: (1) once a claim was granted, the store takes no row of that partition under a smaller epoch; (2) with the
//! rows of a partition the store keeps, in the same transaction, how many of them there are, so a worker that goes on
//! from a checkpoint knows which of its rows are there already. A row's number means the same in every run
//! ([`windrow_core::RefusedRow::number`]), hence those need not be written again and nobody sees a value go back.

use crate::Halt;
use crate::identifiers::{Epoch, FenceToken, Partition};

/// How many rows of one feature view a partition has produced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRowCount {
    /// The view's name.
    pub view: String,
    /// Stands for where counting began and what is counted. Counts with different beginnings have nothing to do with each
    /// other.
    pub beginning: u64,
    /// The number of the last row; 0 before the first.
    pub rows: u64,
}

/// The wish of a worker to write the rows of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionClaim {
    /// The partition.
    pub partition: Partition,
    /// The epoch it was given for it.
    pub epoch: Epoch,
    /// Where its checkpoint stands, for every view in the pipeline's order.
    pub row_counts: Vec<ViewRowCount>,
}

/// The answer to a [`Claim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// For every view of the claim, the number of the last row that is in the store already: at least the claim's own.
    Granted(Vec<u64>),
    /// Somebody claimed the partition under this epoch, which is not smaller.
    Stale(Epoch),
}

/// A store's side of the contract.
pub trait RowFence: Send + Sync {
    /// Takes a partition over. Waits while the store is away.
    ///
    /// # Errors
    /// A fault of the store that no retry mends, or [`Halt::NotReachable`] when a stop was requested meanwhile.
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt>;
}

/// For output that only this process can write to (a file, the terminal).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRowFence;

impl RowFence for NoRowFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        Ok(ClaimOutcome::Granted(claim.row_counts.iter().map(|count| count.rows).collect()))
    }
}

/// A partition whose rows the store no longer takes from this worker; the rows handed over since are dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostPartition {
    /// What was lost.
    pub fence_token: FenceToken,
    /// Why.
    pub reason: PartitionLossReason,
}

/// Why a store no longer takes a worker's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionLossReason {
    /// Somebody claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// The store holds fewer rows than it has acknowledged (it was emptied, or failed over to a replica that lagged): they
    /// must be computed and written again, from the last checkpoint on.
    StoreRewound,
}

//! The fence of a row store accepts the rows of a partition only from the partition's current owner. The fence refuses
//! the rows of a worker that has lost the partition without noticing.
//!
//! Owns: the contract between a worker and the fence. Does not own: the epochs, which come from the checkpoint store,
//! and the implementations of the fence, which are in `windrow-connectors`. Invariants: (1) After the row store has
//! granted a claim, it accepts no row of that partition from an owner with a smaller epoch. (2) For each view, the row
//! store saves the number of a partition's last row in the transaction that writes this row. A row has the same number
//! in every run ([`windrow_core::Row::row_number`]). A worker that resumes from a checkpoint therefore knows which rows
//! are already written, and does not write these rows again. So an older row never replaces a newer row. (3) The row store
//! may lose acknowledged rows, for example by a failover to a replica that lags. Then the fence is as old as the rows, so
//! a claim shows which rows are missing. (4) The row store saves with the rows the position up to which records were read
//! for them. So the next owner notices rows of records that the log has lost since. (5) It
//! also saves the decisions of the wall clock on which the rows may depend, so the next owner repeats them.

use crate::identifiers::{Epoch, FenceToken, Partition};
use crate::row_counts::{CountedRows, StoredRows, ViewRowCount};
use crate::{ClockDecisions, Halt, LogPosition, OpeningAbandonment};

/// A worker's request to become the only writer of a partition's rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionClaim {
    /// The partition to claim.
    pub partition: Partition,
    /// The epoch under which the worker owns the partition.
    pub epoch: Epoch,
    /// The row counts from the partition's checkpoint, one for each view, in the order of the pipeline's views.
    pub row_counts: Vec<ViewRowCount>,
    /// The rows that the partition's checkpoint counts, for each view that the checkpoint and the pipeline have. Where the
    /// claim begins a new numbering, they have other fingerprints than `row_counts`.
    pub checkpoint_rows: Vec<CountedRows>,
    /// The position at which the worker begins to read; `None` if unknown.
    pub read_position: Option<LogPosition>,
    /// What the row store does if it lacks rows that `checkpoint_rows` includes.
    pub missing_rows: MissingRowsPolicy,
}

/// What a row store does with a [`PartitionClaim`] if it lacks rows that the claim counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingRowsPolicy {
    /// The row store refuses the claim, so that the worker can go back to an older checkpoint.
    RefuseClaim,
    /// The row store grants the claim, because no checkpoint is old enough. The missing rows stay missing.
    GrantClaim,
}

impl PartitionClaim {
    /// Returns how many of the rows that the checkpoint counts are missing in the row store. `stored` is what the
    /// partition's fence tells; `None` if there is no fence.
    #[must_use]
    pub fn count_missing_rows(&self, stored: Option<&StoredRows>) -> u64 {
        self.checkpoint_rows.iter().map(|rows| rows.count_missing_in(stored)).sum()
    }
}

/// What a row store tells the owner of a granted claim.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct GrantedClaim {
    /// For each view, the number of the last row in the row store. No number is smaller than the claim's number for the
    /// same view.
    pub last_written_row_number_by_view: Vec<u64>,
    /// The position after the record that caused the last of these rows; `None` if unknown.
    pub read_position: Option<LogPosition>,
    /// The decisions of the wall clock on which rows in the row store may depend.
    pub clock_decisions: ClockDecisions,
}

/// The row store's answer to a [`PartitionClaim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// The row store grants the claim.
    Granted(GrantedClaim),
    /// The row store refuses the claim, because it has already granted a claim to the partition under an epoch that is
    /// equal or larger. This variant holds that epoch.
    Stale(Epoch),
    /// The row store refuses the claim, because it lacks rows that the claim counts
    /// ([`MissingRowsPolicy::RefuseClaim`]). The fence is unchanged.
    RowsMissing {
        /// What the fence tells; `None` if there is no fence.
        stored_rows: Option<StoredRows>,
    },
}

/// The fence of a row store.
pub trait RowFence: Send + Sync {
    /// Claims a partition at the fence. If the row store is unreachable, waits until the row store can be reached
    /// again.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves. Also when a stop is requested or the opening is abandoned
    /// while the row store is unreachable. A claim that was not sent by then is never sent.
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt>;
}

/// Grants every claim. Output to a file or to the terminal uses this fence, because only this process writes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRowFence;

impl RowFence for NoRowFence {
    fn claim_partition(&self, claim: &PartitionClaim, _: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        Ok(ClaimOutcome::Granted(GrantedClaim {
            last_written_row_number_by_view: claim.row_counts.iter().map(|count| count.last_row_number).collect(),
            read_position: claim.read_position,
            clock_decisions: ClockDecisions::default(),
        }))
    }
}

/// A partition whose rows the row store no longer accepts from this worker. The row store discards every further row
/// that this worker sends for the partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostPartition {
    /// The partition, and the epoch under which this worker owned the partition.
    pub fence_token: FenceToken,
    /// The reason why the row store no longer accepts the partition's rows.
    pub reason: PartitionLossReason,
}

/// The reason why a row store no longer accepts a worker's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionLossReason {
    /// Another worker claimed the partition under a larger epoch. This variant holds that epoch.
    Fenced(Epoch),
    /// The row store has lost acknowledged rows, because the row store was emptied or failed over to a lagging replica.
    /// The worker must compute and write the rows since the last checkpoint again.
    StoreRewound,
}

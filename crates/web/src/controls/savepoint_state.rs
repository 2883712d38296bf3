//! The state of a requested savepoint, for callers that poll for the outcome.

use crate::report::{CheckpointStatus, RequestedSavepointReport};

/// The state of a savepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SavepointState {
    /// The savepoint is being taken.
    InProgress {
        /// The number of partitions saved so far.
        saved_partition_count: usize,
        /// The number of partitions to save; 0 while unknown.
        partition_count: usize,
    },
    /// The savepoint is complete.
    Completed {
        /// The location of the savepoint.
        location: String,
        /// The number of partitions in the savepoint.
        partition_count: usize,
    },
    /// The savepoint failed.
    Failed {
        /// Why the savepoint failed.
        reason: String,
    },
}

impl SavepointState {
    pub(crate) fn from_report(report: &RequestedSavepointReport) -> Self {
        match report.status {
            CheckpointStatus::InProgress => Self::InProgress {
                saved_partition_count: report.saved_partition_count,
                partition_count: report.partition_count,
            },
            CheckpointStatus::Completed => {
                Self::Completed { location: report.location.clone(), partition_count: report.partition_count }
            }
            CheckpointStatus::Failed => Self::Failed { reason: report.failure.clone().unwrap_or_default() },
        }
    }
}

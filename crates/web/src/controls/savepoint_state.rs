//! The state of a savepoint, for a caller that polls.

use crate::report::{CheckpointStatus, SavepointReport};

/// The state of a savepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SavepointState {
    /// It is being taken.
    InProgress {
        /// The number of partitions saved so far.
        saved: usize,
        /// The number of partitions to save; 0 while that is unknown.
        partitions: usize,
    },
    /// It is complete.
    Completed {
        /// The location of the savepoint.
        location: String,
        /// The number of partitions in it.
        partitions: usize,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
}

impl SavepointState {
    /// Returns the state that `report` describes.
    pub(crate) fn from_report(report: &SavepointReport) -> Self {
        match report.status {
            CheckpointStatus::InProgress => Self::InProgress { saved: report.saved, partitions: report.partitions },
            CheckpointStatus::Completed => {
                Self::Completed { location: report.location.clone(), partitions: report.partitions }
            }
            CheckpointStatus::Failed => Self::Failed { reason: report.failure.clone().unwrap_or_default() },
        }
    }
}

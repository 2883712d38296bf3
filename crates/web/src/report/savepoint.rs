//! The report of a savepoint that was requested over HTTP.

use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointStatus;

/// A savepoint that was requested over HTTP.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct SavepointReport {
    /// The name of the request, under which callers fetch the outcome.
    pub request: String,
    /// Whether the savepoint is complete.
    pub status: CheckpointStatus,
    /// The number of partitions saved so far.
    pub saved: usize,
    /// The number of partitions to save; 0 while that is unknown.
    pub partitions: usize,
    /// The location of the savepoint.
    pub location: String,
    /// The reason of the failure.
    pub failure: Option<String>,
}

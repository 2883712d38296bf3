//! The report of a savepoint that was requested over HTTP.

use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointStatus;

/// The progress and outcome of a savepoint that was requested over HTTP.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RequestedSavepointReport {
    /// The name of the request, with which callers ask for the savepoint's outcome.
    #[serde(rename = "request")]
    pub request_name: String,
    /// Whether the savepoint is in progress, complete or failed.
    pub status: CheckpointStatus,
    /// The number of partitions saved so far.
    #[serde(rename = "saved")]
    pub saved_partition_count: usize,
    /// The number of partitions to save; 0 while unknown.
    #[serde(rename = "partitions")]
    pub partition_count: usize,
    /// The location of the savepoint.
    pub location: String,
    /// Why the savepoint failed; absent unless it failed.
    pub failure: Option<String>,
}

//! The format of the object `savepoint`, which describes a complete savepoint and lists its partitions.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::object_errors::{ObjectDamage, ObjectFault};
use crate::identifiers::Partition;

const SUMMARY_FORMAT_VERSION: u32 = 1;
const SUMMARY_TITLE: &str = "windrow-savepoint";

/// The summary of a complete savepoint: its pipeline, topic, partitions and size.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SavepointSummary {
    /// The unique name of the savepoint.
    #[serde(rename = "id")]
    pub savepoint_id: String,
    /// The wall-clock time of the savepoint's completion, in epoch milliseconds.
    pub taken_at_ms: i64,
    /// The name of the pipeline.
    #[serde(rename = "pipeline")]
    pub pipeline_name: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The numbers of the partitions in the savepoint: all partitions of the topic.
    #[serde(rename = "partitions")]
    pub partition_numbers: Vec<Partition>,
    /// The total size of the savepoint's state objects, in bytes.
    #[serde(rename = "bytes")]
    pub total_state_byte_count: u64,
}

impl SavepointSummary {
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(SUMMARY_TITLE, SUMMARY_FORMAT_VERSION, &body))
    }

    pub(super) fn decode(object: &[u8]) -> Result<Self, ObjectFault> {
        let body = decode_checksummed_text(SUMMARY_TITLE, SUMMARY_FORMAT_VERSION, object)?;
        serde_json::from_str(body).map_err(|error| {
            ObjectDamage::UnparsableContent { expected: "savepoint", detail: error.to_string() }.into()
        })
    }
}

//! The format of the object `savepoint`, which lists the content of a complete savepoint.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::object_faults::{ObjectDamage, ObjectFault};
use crate::identifiers::Partition;

const CONTENT_FORMAT_VERSION: u32 = 1;
const CONTENT_TITLE: &str = "windrow-savepoint";

/// The content of a complete savepoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SavepointContent {
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
    /// The partitions of the topic. A savepoint holds all of them.
    pub partitions: Vec<Partition>,
    /// The total size of all state objects in bytes.
    #[serde(rename = "bytes")]
    pub total_state_byte_count: u64,
}

impl SavepointContent {
    /// Encodes the content as the object `savepoint`.
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(CONTENT_TITLE, CONTENT_FORMAT_VERSION, &body))
    }

    /// Decodes the object `savepoint`.
    pub(super) fn decode(object: &[u8]) -> Result<Self, ObjectFault> {
        let body = decode_checksummed_text(CONTENT_TITLE, CONTENT_FORMAT_VERSION, object)?;
        serde_json::from_str(body).map_err(|error| {
            ObjectDamage::UnparsableContent { expected: "savepoint", detail: error.to_string() }.into()
        })
    }
}

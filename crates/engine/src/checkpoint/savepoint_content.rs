//! The object `savepoint` holds the content of a savepoint. It is created last, so it marks a complete savepoint.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::format::{FormatFault, ObjectDamage};
use crate::identifiers::Partition;

const CONTENT_VERSION: u32 = 1;
const CONTENT_TITLE: &str = "windrow-savepoint";

/// A description of a complete savepoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SavepointContent {
    /// The name of the savepoint.
    pub id: String,
    /// The wall-clock time of the savepoint's completion, in epoch milliseconds.
    pub taken_at_ms: i64,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The partitions of the topic. A savepoint holds all of them.
    pub partitions: Vec<Partition>,
    /// The total size of all state objects in bytes.
    pub bytes: u64,
}

impl SavepointContent {
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(CONTENT_TITLE, CONTENT_VERSION, &body))
    }

    pub(super) fn decode(object: &[u8]) -> Result<Self, FormatFault> {
        let body = decode_checksummed_text(CONTENT_TITLE, CONTENT_VERSION, object)?;
        serde_json::from_str(body).map_err(|error| {
            ObjectDamage::UnparsableContent { expected: "savepoint", detail: error.to_string() }.into()
        })
    }
}

//! The object `savepoint`: what a savepoint holds. Created last, so it marks a whole savepoint.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::format::{FormatFault, ObjectDamage};
use crate::identifiers::Partition;

const CONTENT_VERSION: u32 = 1;
const CONTENT_TITLE: &str = "windrow-savepoint";

/// What a savepoint holds, in its own words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SavepointContent {
    /// Its name.
    pub id: String,
    /// When it was complete, by the wall clock, in epoch milliseconds.
    pub taken_at_ms: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
    /// The partitions in it: all of the topic.
    pub partitions: Vec<Partition>,
    /// Bytes of all state objects.
    pub bytes: u64,
}

impl SavepointContent {
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(CONTENT_TITLE, CONTENT_VERSION, &body))
    }

    pub(super) fn decode(object: &[u8]) -> Result<Self, FormatFault> {
        let body = decode_checksummed_text(CONTENT_TITLE, CONTENT_VERSION, object)?;
        serde_json::from_str(body)
            .map_err(|error| ObjectDamage::Content { expected: "savepoint", detail: error.to_string() }.into())
    }
}

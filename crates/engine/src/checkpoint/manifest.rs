//! Manifests list the parts of a checkpoint in a readable text.
//!
//! Format (version 1): a line `windrow-checkpoint VERSION CRC-32`, then JSON. The checksum has eight hexadecimal digits
//! and covers the version and the JSON. A reader ignores unknown JSON members.
//! Invariant: an incomplete or altered manifest is refused.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::format::{FormatFault, ObjectDamage};
use super::state_object::compute_object_checksum;
use crate::identifiers::{Epoch, Offset, Partition};

const MANIFEST_VERSION: u32 = 1;
const MANIFEST_TITLE: &str = "windrow-checkpoint";

/// Identifies a checkpoint of a partition. A later checkpoint has a larger id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct CheckpointId {
    /// The epoch of the worker that took the checkpoint.
    pub epoch: Epoch,
    /// The number of the checkpoint. Numbers continue across epochs.
    pub number: u64,
}

impl std::fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of epoch {}", self.number, self.epoch)
    }
}

/// The description of one partition's checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointManifest {
    /// The id of the checkpoint.
    #[serde(flatten)]
    pub id: CheckpointId,
    /// The wall-clock time of the cut, in epoch milliseconds. No computation uses it.
    pub taken_at_ms: i64,
    /// The version of Windrow that wrote the manifest.
    pub windrow: String,
    /// The name of the process that wrote the manifest.
    pub owner: String,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The id of the topic; `None` where the source has no topic ids.
    pub topic_id: Option<String>,
    /// The number of partitions of the topic.
    pub partitions: i32,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The offset of the first record that the checkpoint does not include.
    pub offset: Offset,
    /// The watermark in epoch milliseconds; `None` before the first event.
    pub watermark_ms: Option<i64>,
    /// The number of entities with state.
    pub entities: u64,
    /// The number of slots in the state (see the core's snapshots).
    pub slots: u32,
    /// A description of the decoding rules: the settings and the version that determine the rows.
    pub reading: String,
    /// The feature views, in the order of the state's tables.
    pub views: Vec<StoredView>,
    /// The layers of the state: the base, then the deltas, oldest first.
    pub layers: Vec<CheckpointLayer>,
    /// The place of the savepoint that the job began from.
    pub from: Option<String>,
}

/// A feature view in a checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StoredView {
    /// The name of the view.
    pub name: String,
    /// The definition of the view ([`windrow_core::FeatureView::definition_text`]).
    pub definition: String,
    /// The number of the view's last row before the cut.
    pub rows: u64,
    /// The fingerprint of the point where row counting began (see `row_beginning`).
    pub beginning: u64,
}

/// The state objects of one snapshot: a base or a delta.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointLayer {
    /// The state objects of the layer, in order.
    pub parts: Vec<StatePart>,
}

impl CheckpointLayer {
    /// Returns the total size of the layer's state objects in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// The manifest's entry for one state object.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StatePart {
    /// The name of the object.
    pub name: String,
    /// The size of the object in bytes.
    pub bytes: u64,
    /// The checksum of the object.
    pub crc32: u32,
}

impl StatePart {
    /// Describes `object`, which is stored under `name`.
    pub(crate) fn from_object(name: String, object: &[u8]) -> Self {
        Self { name, bytes: object.len() as u64, crc32: compute_object_checksum(object) }
    }

    /// Returns whether `object` has the recorded size and checksum.
    pub(crate) fn matches_object(&self, object: &[u8]) -> bool {
        object.len() as u64 == self.bytes && compute_object_checksum(object) == self.crc32
    }
}

impl CheckpointManifest {
    /// Returns the total size of all state objects in bytes.
    #[must_use]
    pub fn total_byte_count(&self) -> u64 {
        self.layers.iter().map(CheckpointLayer::byte_count).sum()
    }

    /// Returns the format version in the title line of `bytes`; `None` if the title line is not that of a manifest.
    pub(crate) fn parse_format_version(bytes: &[u8]) -> Option<u32> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        words.next().filter(|title| *title == MANIFEST_TITLE)?;
        words.next()?.parse().ok()
    }

    pub(crate) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(MANIFEST_TITLE, MANIFEST_VERSION, &body))
    }

    /// Decodes a manifest of this format version or an older one.
    ///
    /// # Errors
    /// When the manifest is damaged or its format is newer.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatFault> {
        let body = decode_checksummed_text(MANIFEST_TITLE, MANIFEST_VERSION, bytes)?;
        serde_json::from_str(body)
            .map_err(|error| ObjectDamage::UnparsableContent { expected: "manifest", detail: error.to_string() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_manifest() -> CheckpointManifest {
        let part = |name: &str| StatePart { name: name.to_owned(), bytes: 10, crc32: 7 };
        CheckpointManifest {
            id: CheckpointId { epoch: 3, number: 12 },
            taken_at_ms: 1,
            windrow: "0.1.0".to_owned(),
            owner: "host 1".to_owned(),
            pipeline: "ecommerce".to_owned(),
            topic: "events".to_owned(),
            topic_id: Some("abc".to_owned()),
            partitions: 4,
            partition: 2,
            offset: 99,
            watermark_ms: None,
            entities: 5,
            slots: 6,
            reading: "r".to_owned(),
            views: vec![StoredView { name: "v".to_owned(), definition: "d".to_owned(), rows: 8, beginning: 1 }],
            layers: vec![
                CheckpointLayer { parts: vec![part("a"), part("b")] },
                CheckpointLayer { parts: vec![part("c")] },
            ],
            from: None,
        }
    }

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let bytes = sample_manifest().encode().expect("written");
        assert_eq!(CheckpointManifest::decode(&bytes), Ok(sample_manifest()));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let read = CheckpointManifest::decode(&flipped);
                assert!(matches!(read, Err(FormatFault::Damaged(_))), "bit {bit} of byte {at}");
            }
            let read = CheckpointManifest::decode(&bytes[..at]);
            assert!(matches!(read, Err(FormatFault::Damaged(_))), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let bytes = encode_checksummed_text(MANIFEST_TITLE, 2, "{}");
        assert_eq!(CheckpointManifest::parse_format_version(&bytes), Some(2));
        assert_eq!(CheckpointManifest::parse_format_version(b"nonsense"), None);
        assert_eq!(CheckpointManifest::decode(&bytes), Err(FormatFault::Newer { found: 2, known: 1 }));
    }
}

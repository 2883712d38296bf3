//! Manifests: what a checkpoint is made of, as text that a person can read.
//!
//! Format (version 1): a line `windrow-checkpoint VERSION CRC-32`, the checksum in eight hexadecimal digits over the
//! version and everything behind that line, then JSON. Members that a version does not know are ignored.
//! Invariant: a manifest that is not whole, or has any other bit, is refused.

use serde::{Deserialize, Serialize};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::format::{FormatFault, ObjectDamage};
use super::state_object::object_checksum;
use crate::identifiers::{Epoch, Offset, Partition};

const MANIFEST_VERSION: u32 = 1;
const MANIFEST_TITLE: &str = "windrow-checkpoint";

/// Identifies a checkpoint of a partition. Later ones are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct CheckpointId {
    /// The epoch of the worker that took it.
    pub epoch: Epoch,
    /// Counted through all epochs.
    pub number: u64,
}

impl std::fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of epoch {}", self.number, self.epoch)
    }
}

/// A checkpoint of one partition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointManifest {
    /// Identifies the checkpoint.
    #[serde(flatten)]
    pub id: CheckpointId,
    /// When the shard was cut, by the wall clock, in epoch milliseconds. Nothing is computed from it.
    pub taken_at_ms: i64,
    /// The version of Windrow that took it.
    pub windrow: String,
    /// The process that took it.
    pub owner: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
    /// The topic's id, where the source knows ids.
    pub topic_id: Option<String>,
    /// The topic's number of partitions.
    pub partitions: i32,
    /// The partition.
    pub partition: Partition,
    /// The offset of the next record.
    pub offset: Offset,
    /// The watermark in epoch milliseconds; `None` before the first event.
    pub watermark_ms: Option<i64>,
    /// Entities with state.
    pub entities: u64,
    /// Slots in the state (see the core's snapshots).
    pub slots: u32,
    /// How records were read: settings and version that decide which rows events give.
    pub reading: String,
    /// The feature views, in the order of the state's tables.
    pub views: Vec<StoredView>,
    /// The base, and behind it the deltas.
    pub layers: Vec<CheckpointLayer>,
    /// The savepoint that this partition's job began from.
    pub from: Option<String>,
}

/// One feature view in a checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StoredView {
    /// Its name.
    pub name: String,
    /// Its [`windrow_core::FeatureView::definition`].
    pub definition: String,
    /// The number of its last row.
    pub rows: u64,
    /// Where counting began ([`crate::ViewRowCount::beginning`]).
    pub beginning: u64,
}

/// One snapshot: a base or a delta.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointLayer {
    /// Its pieces, in order.
    pub parts: Vec<StatePart>,
}

impl CheckpointLayer {
    /// Returns the size of its objects in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// One state object, as a manifest names it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StatePart {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its checksum.
    pub crc32: u32,
}

impl StatePart {
    /// Describes `object`, which is stored as `name`.
    pub(crate) fn describe(name: String, object: &[u8]) -> Self {
        Self { name, bytes: object.len() as u64, crc32: object_checksum(object) }
    }

    /// Whether `object` is the one that was written.
    pub(crate) fn matches(&self, object: &[u8]) -> bool {
        object.len() as u64 == self.bytes && object_checksum(object) == self.crc32
    }
}

impl CheckpointManifest {
    /// Returns the size of all its state objects in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(CheckpointLayer::bytes).sum()
    }

    /// Returns the version of the format that `bytes` claim; `None` where they do not look like a manifest.
    pub(crate) fn format_version(bytes: &[u8]) -> Option<u32> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        words.next().filter(|title| *title == MANIFEST_TITLE)?;
        words.next()?.parse().ok()
    }

    pub(crate) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(MANIFEST_TITLE, MANIFEST_VERSION, &body))
    }

    /// Reads what `encode` wrote, in this version or an older one.
    ///
    /// # Errors
    /// When the bytes are damaged, or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatFault> {
        let body = decode_checksummed_text(MANIFEST_TITLE, MANIFEST_VERSION, bytes)?;
        serde_json::from_str(body)
            .map_err(|error| ObjectDamage::Content { expected: "manifest", detail: error.to_string() }.into())
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
        assert_eq!(CheckpointManifest::format_version(&bytes), Some(2));
        assert_eq!(CheckpointManifest::format_version(b"nonsense"), None);
        assert_eq!(CheckpointManifest::decode(&bytes), Err(FormatFault::Newer { found: 2, known: 1 }));
    }
}

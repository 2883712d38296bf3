//! Manifests: what a checkpoint is made of, as text that a person can read.
//!
//! Format (version 1): a line `windrow-checkpoint VERSION CRC-32`, the checksum in eight hexadecimal digits over the
//! version and everything behind that line, then JSON. Members that a version does not know are ignored.
//! Invariant: a manifest that is not whole, or has any other bit, is refused.

use serde::{Deserialize, Serialize};

use super::state::FormatFault;
use crate::{Epoch, Offset, Partition};

const VERSION: u32 = 1;
const TITLE: &str = "windrow-checkpoint";

/// Why a manifest cannot be used.
pub type ManifestFault = FormatFault;

/// Which checkpoint of a partition it is. Later ones are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct CheckpointId {
    /// The epoch of the worker that took it.
    pub epoch: Epoch,
    /// Counted on through all epochs.
    pub number: u64,
}

impl std::fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of epoch {}", self.number, self.epoch)
    }
}

/// A checkpoint of one partition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Manifest {
    /// Which one it is.
    #[serde(flatten)]
    pub id: CheckpointId,
    /// When it was cut, by the wall clock, in epoch milliseconds. For people only.
    pub taken_at_ms: i64,
    /// The version of Windrow that took it.
    pub windrow: String,
    /// The process that took it.
    pub owner: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
    /// Kafka's id of the topic, where it has ids.
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
    pub views: Vec<ViewState>,
    /// The base, and behind it the changes.
    pub layers: Vec<Layer>,
    /// The savepoint that this partition's job was begun from.
    pub from: Option<String>,
}

/// One feature view in a checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct ViewState {
    /// Its name.
    pub name: String,
    /// Its [`windrow_core::FeatureView::definition`].
    pub definition: String,
    /// The number of its last row.
    pub rows: u64,
    /// Where counting began ([`crate::RowCount::beginning`]).
    pub beginning: u64,
}

/// One snapshot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Layer {
    /// Its pieces, in order.
    pub parts: Vec<Part>,
}

impl Layer {
    /// Bytes of its objects.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// One state object.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its checksum.
    pub crc32: u32,
}

impl Manifest {
    /// Bytes of all its state objects.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(Layer::bytes).sum()
    }

    /// The version of the format that `bytes` say they have; `None` where they do not look like a manifest.
    pub(crate) fn format(bytes: &[u8]) -> Option<u32> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        words.next().filter(|title| *title == TITLE)?;
        words.next()?.parse().ok()
    }

    pub(crate) fn write(&self) -> Result<Vec<u8>, String> {
        let body = serde_json::to_string_pretty(self).map_err(|error| format!("cannot write a manifest: {error}"))?;
        Ok(seal(TITLE, VERSION, &body))
    }

    /// Reads what `write` wrote, in this version or an older one.
    ///
    /// # Errors
    /// When the bytes are damaged, or of a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let body = unseal(TITLE, VERSION, bytes)?;
        serde_json::from_str(body).map_err(|error| FormatFault::Damaged(format!("it is not a manifest: {error}")))
    }
}

/// A text with a title line that holds its version and checksum.
pub(super) fn seal(title: &str, version: u32, body: &str) -> Vec<u8> {
    let version = version.to_string();
    format!("{title} {version} {:08x}\n{body}", checksum(&version, body.as_bytes())).into_bytes()
}

/// The body of a text that [`seal`] wrote.
pub(super) fn unseal<'a>(title: &str, known: u32, bytes: &'a [u8]) -> Result<&'a str, FormatFault> {
    let damaged = || FormatFault::Damaged("its checksum does not fit".to_owned());
    let line_end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (line, body) = (&bytes[..line_end], &bytes[line_end + 1..]);
    let mut words = line.split(|byte| *byte == b' ').map(std::str::from_utf8);
    let (Some(Ok(found)), Some(Ok(version)), Some(Ok(sum)), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(damaged());
    };
    // Spelled out: parsing would accept other digits for the same sum.
    if found != title || sum != format!("{:08x}", checksum(version, body)) {
        return Err(damaged());
    }
    match version.parse() {
        Ok(version) if version > known => Err(FormatFault::Newer(version, known)),
        Ok(_) => std::str::from_utf8(body).map_err(|_| damaged()),
        Err(_) => Err(damaged()),
    }
}

fn checksum(version: &str, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(version.as_bytes());
    hasher.update(b"\n");
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let part = |name: &str| Part { name: name.to_owned(), bytes: 10, crc32: 7 };
        Manifest {
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
            views: vec![ViewState { name: "v".to_owned(), definition: "d".to_owned(), rows: 8, beginning: 1 }],
            layers: vec![Layer { parts: vec![part("a"), part("b")] }, Layer { parts: vec![part("c")] }],
            from: None,
        }
    }

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let bytes = manifest().write().expect("written");
        assert_eq!(Manifest::read(&bytes), Ok(manifest()));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(matches!(Manifest::read(&flipped), Err(FormatFault::Damaged(_))), "bit {bit} of byte {at}");
            }
            assert!(matches!(Manifest::read(&bytes[..at]), Err(FormatFault::Damaged(_))), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let bytes = seal(TITLE, 2, "{}");
        assert_eq!(Manifest::format(&bytes), Some(2));
        assert_eq!(Manifest::format(b"nonsense"), None);
        assert_eq!(Manifest::read(&bytes), Err(FormatFault::Newer(2, 1)));
    }
}

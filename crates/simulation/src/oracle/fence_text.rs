//! The text of a fence in Redis.

use windrow_engine::Partition;

pub(super) const FENCE_KEY_PREFIX: &[u8] = b"windrow:fence:";

/// The row counts in a fence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FenceCounts {
    pub(super) epoch: u64,
    /// For each view, the fingerprint of the numbering and the number of the last row.
    pub(super) views: Vec<FenceViewCount>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FenceViewCount {
    pub(super) fingerprint: u64,
    pub(super) last_row_number: u64,
}

pub(super) fn parse_fence(text: &[u8]) -> Option<FenceCounts> {
    let mut words = str::from_utf8(text).ok()?.strip_prefix("1 epoch=")?.split(' ').peekable();
    let epoch = words.next()?.parse().ok()?;
    let _position = words.next_if(|word| word.starts_with("read="));
    let parse_view = |word: &str| {
        let (fingerprint, rows) = word.split_once('=')?.1.split_once(':')?;
        Some(FenceViewCount { fingerprint: fingerprint.parse().ok()?, last_row_number: rows.parse().ok()? })
    };
    Some(FenceCounts { epoch, views: words.map(parse_view).collect::<Option<_>>()? })
}

pub(super) fn partition_of_fence(key: &[u8]) -> Option<Partition> {
    let key = str::from_utf8(key.strip_prefix(FENCE_KEY_PREFIX)?).ok()?;
    key.rsplit_once(':')?.1.parse().ok()
}

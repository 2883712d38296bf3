//! What a snapshot covers, the numbers of its tables, and the state outside the slots.

use std::collections::BTreeMap;

use super::encoding::{DamagedSnapshot, SnapshotReader};
use crate::time::EventTime;

/// The state that a snapshot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotScope {
    /// All state.
    Everything,
    /// The slots that events have changed since the last snapshot that was kept.
    Changes,
}

/// What became of a snapshot's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotResult {
    /// They are stored; the next snapshot of changes builds on them.
    Kept,
    /// They are lost; the next snapshot of changes includes this one's slots.
    Discarded,
}

/// The state of a shard outside its slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardMetadata {
    /// The watermark; `None` before the first event.
    pub watermark: Option<EventTime>,
    /// Number of slots, in use or free; the slots of all records are below it.
    pub slot_count: u32,
    /// Number of entities with state.
    pub entity_count: usize,
    /// Per view, the number of its last row; 0 before the first.
    pub emitted_rows: Vec<u64>,
}

/// The table of entity keys in a snapshot's blocks.
pub(crate) const ENTITY_KEY_TABLE: u64 = 0;

/// Returns the table of view `index` in a snapshot's blocks.
pub(crate) const fn view_table(index: usize) -> u64 {
    index as u64 + 1
}

/// Returns how many bytes each table has in a piece of a snapshot: table 0 holds the entity keys, `n + 1` view `n`. The
/// records themselves are not read.
///
/// # Errors
/// When the bytes are not those of a snapshot.
pub fn measure_snapshot_tables(bytes: &[u8]) -> Result<BTreeMap<usize, usize>, DamagedSnapshot> {
    let mut tables = BTreeMap::new();
    let mut blocks = SnapshotReader::new(bytes);
    while !blocks.is_empty() {
        let (table, records) = (blocks.read_number()?, blocks.read_bytes()?);
        let table = usize::try_from(table).map_err(|_| DamagedSnapshot("a table that cannot be"))?;
        *tables.entry(table).or_insert(0) += records.len();
    }
    Ok(tables)
}

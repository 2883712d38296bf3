//! Whether a snapshot is a base or a delta, the numbers of its tables, and the state outside the slots.

use std::collections::BTreeMap;

use super::encoding::{DamagedSnapshot, SnapshotReader};
use crate::time::EventTime;

/// Whether a snapshot holds all state or only changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BaseOrDelta {
    /// The snapshot holds all state.
    Base,
    /// The snapshot holds the slots that events have changed since the last stored snapshot.
    Delta,
}

/// Whether the bytes of an ended snapshot are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotStorageOutcome {
    /// The bytes are stored, so the next delta builds on them.
    Stored,
    /// The bytes are lost, so the next delta includes the slots of this snapshot.
    Discarded,
}

/// The state of a shard that is not stored in slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardMetadata {
    /// The watermark; `None` before the first event.
    pub watermark: Option<EventTime>,
    /// Number of slots, in use or free.
    pub slot_count: u32,
    /// Number of entities with state.
    pub entity_count: usize,
    /// The number of the last row of each view; 0 before the view's first row.
    pub emitted_row_counts: Vec<u64>,
}

/// The number that a snapshot gives to the table of entity keys.
pub(crate) const ENTITY_KEY_TABLE_NUMBER: u64 = 0;

/// Returns the number that a snapshot gives to the table of the view at `index`.
pub(crate) const fn view_table_number(index: usize) -> u64 {
    index as u64 + 1
}

/// Returns how many bytes each table has in `bytes`, which are a part of a snapshot. Table 0 holds the entity keys,
/// table `n + 1` the state of view `n`. The content of the tables is not checked.
///
/// # Errors
/// Fails when the bytes are not those of a snapshot.
pub fn count_snapshot_bytes_by_table(bytes: &[u8]) -> Result<BTreeMap<usize, usize>, DamagedSnapshot> {
    let mut tables = BTreeMap::new();
    let mut blocks = SnapshotReader::new(bytes);
    while !blocks.is_empty() {
        let (table, records) = (blocks.read_unsigned()?, blocks.read_bytes()?);
        let table = usize::try_from(table).map_err(|_| DamagedSnapshot("a table number that is too large"))?;
        *tables.entry(table).or_insert(0) += records.len();
    }
    Ok(tables)
}

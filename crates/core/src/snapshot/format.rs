//! Parts of the snapshot format: base or delta, the numbers that identify tables, and the state outside the slots.

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
    /// The bytes are stored. The next delta omits the slots that have not changed since this snapshot began.
    Stored,
    /// The bytes are lost. The next delta also includes the slots that had changed when this snapshot began.
    Discarded,
}

/// The state of a shard outside its slots, and the numbers of its slots and entities.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardMetadata {
    /// The watermark; `None` before the first event.
    pub watermark: Option<EventTime>,
    /// What the watermark would be if only events had advanced it; `None` before the first event.
    pub watermark_by_events: Option<EventTime>,
    /// The number of slots in the table of entity keys, including free slots.
    pub slot_count: u32,
    /// Number of entities with state.
    pub entity_count: usize,
    /// For each view, the number of rows that it has emitted, without the rows that have the number 0.
    pub emitted_row_counts: Vec<u64>,
}

/// The number of the table with the entity keys.
pub(crate) const ENTITY_KEY_TABLE_NUMBER: u64 = 0;

/// Returns the number of the table that holds the state of the view with the index `index`.
pub(crate) const fn view_table_number(index: usize) -> u64 {
    index as u64 + 1
}

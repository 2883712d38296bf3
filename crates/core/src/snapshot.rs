//! Snapshots: a shard's state as bytes, taken while the shard goes on working.
//!
//! A snapshot is begun by a cut ([`crate::Shard::cut`]), which costs next to nothing whatever the shard holds. From then on
//! the worker saves a little of it between two polls, and a slot that an event is about to change is saved first: what is
//! saved is the state at the cut. A snapshot of changes holds the slots that events have touched since the cut before.
//!
//! Owns: the bytes of saved slots ([`wire`]), which slots are still to be saved ([`snapshot_writer`]), putting a shard together again
//! ([`restore_shard`]). Does not own: files, checksums, offsets (the engine's checkpoints).
//!
//! Invariants: (1) a layer holds every slot that changed since the layer before it, whole; of two records for one slot the
//! later counts; (2) what a window's firing removes is not recorded: it follows from the watermark, so restoring drops
//! whatever the watermark has passed; (3) a restored shard gives the same rows in the same order, with the same numbers, as
//! the one that was saved. Hence slots keep their numbers, and free slots are handed out lowest first.
//! After a crash: a snapshot under way is gone; the last one kept is complete by itself.
//! Why this way: copying a million users stops the worker for a second; a snapshot per pane would save less than half of
//! a changed user, and cost a bit per pane.
//!
//! A snapshot is a sequence of blocks: table (0 for entity keys, `n + 1` for view `n`), length, records; numbers are
//! LEB128. A record is the distance of its slot from that of the record before in its block (zigzag), and then the
//! key's length and bytes, or the slot's rows in that view: their number, and for each its span, words and held values.

pub(crate) mod restore;
pub(crate) mod saver;
pub(crate) mod wire;

use std::collections::BTreeMap;

use crate::EventTime;

/// What a snapshot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotScope {
    /// All state.
    Everything,
    /// The slots that events have touched since the last cut that was kept.
    Changes,
}

/// What belongs to a shard's state beside what its slots hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardMetadata {
    /// The watermark; `None` before the first event.
    pub watermark: Option<EventTime>,
    /// Number of slots, used or free: those of all records are below it.
    pub slot_count: u32,
    /// Number of entities with state.
    pub entity_count: usize,
    /// Per view, the number of its last row; 0 before the first.
    pub emitted_rows: Vec<u64>,
}

/// The table of entity keys in a snapshot's blocks.
pub(crate) const ENTITY_KEY_TABLE: u64 = 0;

/// The table of view `index`.
pub(crate) const fn view_table(index: usize) -> u64 {
    index as u64 + 1
}

/// How many bytes of each table there are in a piece of a snapshot: 0 is that of the entity keys, `n + 1` that of view
/// `n`. The records themselves are not looked at.
///
/// # Errors
/// When the bytes are not a snapshot's.
pub fn measure_snapshot_tables(bytes: &[u8]) -> Result<BTreeMap<usize, usize>, DamagedSnapshot> {
    let mut tables = BTreeMap::new();
    let mut blocks = wire::SnapshotReader::new(bytes);
    while !blocks.is_empty() {
        let (table, records) = (blocks.read_number()?, blocks.read_bytes()?);
        let table = usize::try_from(table).map_err(|_| DamagedSnapshot("a table that cannot be"))?;
        *tables.entry(table).or_insert(0) += records.len();
    }
    Ok(tables)
}

/// Why a snapshot's bytes cannot be read. With checksums around them this takes a bug, or another format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedSnapshot(pub &'static str);

impl std::fmt::Display for DamagedSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for DamagedSnapshot {}

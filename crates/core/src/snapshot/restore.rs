//! Putting a shard together again from the layers of its snapshots.
//!
//! Owns: the order of steps and what makes bytes implausible. Does not own: how each table reads its records (the tables).
//! Invariant: bytes that were not written by a shard of these views give an error, never a panic.

use super::wire::SnapshotReader;
use super::{DamagedSnapshot, ENTITY_KEY_TABLE, ShardMetadata};
use crate::{Shard, Watermark};

/// A shard that is being put together: every layer in its order, then [`ShardRestore::finish`].
#[derive(Debug)]
pub struct ShardRestore {
    shard: Shard,
    slot_count: u32,
    view_mapping: Vec<Option<usize>>,
}

impl ShardRestore {
    /// Begins with `empty`, a new shard, for state of `slots` slots. `views` says for every view of the saved state which
    /// view of the shard it is; `None` drops it.
    #[must_use]
    pub fn new(empty: Shard, slot_count: u32, view_mapping: Vec<Option<usize>>) -> Self {
        Self { shard: empty, slot_count, view_mapping }
    }

    /// Adds a piece of a layer; the pieces come in the order in which they were saved.
    ///
    /// # Errors
    /// When the bytes are not a snapshot's.
    pub fn apply_piece(&mut self, bytes: &[u8]) -> Result<(), DamagedSnapshot> {
        let mut blocks = SnapshotReader::new(bytes);
        while !blocks.is_empty() {
            let (table, records) = (blocks.read_number()?, SnapshotReader::new(blocks.read_bytes()?));
            if table == ENTITY_KEY_TABLE {
                self.shard.entities.load_keys(self.slot_count, records)?;
                continue;
            }
            let view = usize::try_from(table - 1).ok().and_then(|view| self.view_mapping.get(view));
            if let Some(view) = view.ok_or(DamagedSnapshot("a view that the state does not have"))? {
                self.shard.views[*view].load_records(self.slot_count, records)?;
            }
        }
        Ok(())
    }

    /// The shard, its watermark and the numbers of its views' rows as `facts` say: `facts.rows` in the shard's order.
    ///
    /// # Errors
    /// When the layers do not fit together.
    pub fn finish(mut self, facts: &ShardMetadata) -> Result<Shard, DamagedSnapshot> {
        let watermark = facts.watermark.unwrap_or(Watermark::BEFORE_ALL);
        self.shard.watermark.restore(watermark);
        for (view, &rows) in self.shard.views.iter_mut().zip(&facts.emitted_rows) {
            view.finish_restore(&mut self.shard.entities, rows, watermark);
        }
        self.shard.entities.finish_restore(self.slot_count)?;
        Ok(self.shard)
    }
}

/// Reads the records of one block: the distance to each record's slot, which must be below `slots`, and what `read` makes
/// of the rest.
pub(crate) fn read_slot_records<'a>(
    slots: u32,
    mut reader: SnapshotReader<'a>,
    mut read: impl FnMut(usize, &mut SnapshotReader<'a>) -> Result<(), DamagedSnapshot>,
) -> Result<(), DamagedSnapshot> {
    let mut last = 0_i64;
    while !reader.is_empty() {
        last = last.wrapping_add(reader.read_signed()?);
        let slot = usize::try_from(last).ok().filter(|_| last < i64::from(slots));
        read(slot.ok_or(DamagedSnapshot("a slot outside the table"))?, &mut reader)?;
    }
    Ok(())
}

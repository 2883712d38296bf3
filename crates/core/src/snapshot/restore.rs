//! Restores a shard from the layers of a checkpoint.
//!
//! Owns: the order of the steps of a restore. Does not own: the decoding of a slot (the table of the slot decodes it).
//! Invariant: no bytes make a restore panic. Bytes that are not a snapshot of these views give an error.

use super::encoding::{DamagedSnapshot, SnapshotReader};
use super::format::{ENTITY_KEY_TABLE_NUMBER, ShardMetadata};
use super::slots::{RestorePermit, SlotRecordBlock};
use crate::shard::Shard;
use crate::watermark::Watermark;

/// A shard during its restore. The caller loads every layer, the oldest first, and then calls [`ShardRestore::finish`].
#[derive(Debug)]
pub struct ShardRestore {
    shard: Shard,
    slot_count: u32,
    target_view_by_saved_view: Vec<Option<usize>>,
}

impl ShardRestore {
    /// Starts a restore into the new shard `empty`. Every saved table has at most `slot_count` slots.
    /// `target_view_by_saved_view` has one element for every saved view. The element is the index of the view in
    /// `empty` that gets the saved state, or `None` to drop the saved state.
    #[must_use]
    pub fn new(empty: Shard, slot_count: u32, target_view_by_saved_view: Vec<Option<usize>>) -> Self {
        Self { shard: empty, slot_count, target_view_by_saved_view }
    }

    /// Loads one part of a layer. The caller must load the parts of a layer in the order in which they were saved.
    ///
    /// # Errors
    /// Fails when the bytes are not those of a snapshot.
    pub fn load_layer_part(&mut self, bytes: &[u8]) -> Result<(), DamagedSnapshot> {
        let mut blocks = SnapshotReader::new(bytes);
        while !blocks.is_empty() {
            let (table, records) =
                (blocks.read_unsigned()?, SlotRecordBlock::new(self.slot_count, blocks.read_bytes()?));
            if table == ENTITY_KEY_TABLE_NUMBER {
                self.shard.entity_table.load_entity_keys(records)?;
                continue;
            }
            let view = usize::try_from(table - 1).ok().and_then(|view| self.target_view_by_saved_view.get(view));
            if let Some(view) = view.ok_or(DamagedSnapshot("a table of a view that the checkpoint does not list"))? {
                self.shard.views[*view].load_slot_records(records)?;
            }
        }
        Ok(())
    }

    /// Returns the restored shard. `metadata` supplies the watermark and the number of rows that each view has emitted,
    /// in the order of the shard's views.
    ///
    /// # Errors
    /// Fails when a slot has state but no entity key, or when two slots have the same entity key.
    pub fn finish(mut self, metadata: &ShardMetadata) -> Result<Shard, DamagedSnapshot> {
        let permit = RestorePermit::new();
        let watermark = metadata.watermark.unwrap_or(Watermark::BEFORE_ALL_EVENTS);
        self.shard.watermark.set_time(watermark);
        for (view, &rows) in self.shard.views.iter_mut().zip(&metadata.emitted_row_counts) {
            view.finish_restore(&mut self.shard.entity_table, rows, watermark, &permit);
        }
        self.shard.entity_table.finish_restore(self.slot_count, &permit)?;
        Ok(self.shard)
    }
}

//! Rebuilding a shard from the layers of its snapshots.
//!
//! Owns: the order of the steps, and which bytes are implausible. Does not own: how a table reads its records (the tables).
//! Invariant: bytes that no shard of these views wrote give an error, never a panic.

use super::encoding::{DamagedSnapshot, SnapshotReader};
use super::format::{ENTITY_KEY_TABLE, ShardMetadata};
use super::slots::{RestorePermit, SlotRecords};
use crate::shard::Shard;
use crate::watermark::Watermark;

/// A shard that is being rebuilt: every layer in its order, then [`ShardRestore::finish`].
#[derive(Debug)]
pub struct ShardRestore {
    shard: Shard,
    slot_count: u32,
    view_mapping: Vec<Option<usize>>,
}

impl ShardRestore {
    /// Begins with `empty`, a new shard, for saved state of `slot_count` slots. `view_mapping` gives, for every view of the
    /// saved state, the view of the shard that takes it over; `None` drops the state.
    #[must_use]
    pub fn new(empty: Shard, slot_count: u32, view_mapping: Vec<Option<usize>>) -> Self {
        Self { shard: empty, slot_count, view_mapping }
    }

    /// Adds a piece of a layer. The pieces come in the order in which they were saved.
    ///
    /// # Errors
    /// When the bytes are not those of a snapshot.
    pub fn apply_piece(&mut self, bytes: &[u8]) -> Result<(), DamagedSnapshot> {
        let mut blocks = SnapshotReader::new(bytes);
        while !blocks.is_empty() {
            let (table, records) = (blocks.read_number()?, SlotRecords::new(self.slot_count, blocks.read_bytes()?));
            if table == ENTITY_KEY_TABLE {
                self.shard.entities.load_keys(records)?;
                continue;
            }
            let view = usize::try_from(table - 1).ok().and_then(|view| self.view_mapping.get(view));
            if let Some(view) = view.ok_or(DamagedSnapshot("a view that the state does not have"))? {
                self.shard.views[*view].load_records(records)?;
            }
        }
        Ok(())
    }

    /// Returns the shard, with watermark and row numbers from `metadata`. `metadata.emitted_rows` is in the order of the
    /// shard's views.
    ///
    /// # Errors
    /// When the layers do not fit together.
    pub fn finish(mut self, metadata: &ShardMetadata) -> Result<Shard, DamagedSnapshot> {
        let permit = RestorePermit::new();
        let watermark = metadata.watermark.unwrap_or(Watermark::BEFORE_ALL);
        self.shard.watermark.restore(watermark);
        for (view, &rows) in self.shard.views.iter_mut().zip(&metadata.emitted_rows) {
            view.finish_restore(&mut self.shard.entities, rows, watermark, &permit);
        }
        self.shard.entities.finish_restore(self.slot_count, &permit)?;
        Ok(self.shard)
    }
}

//! Restores a shard from the layers of a checkpoint.
//!
//! Owns: the order of the steps of a restore. Does not own: the decoding of a slot (the table of the slot decodes it).
//! Invariant: no bytes make a restore panic. Bytes that are not a snapshot of these views give an error.

use super::encoding::DamagedSnapshot;
use super::entry_migration::{EntryMigration, ViewMigration};
use super::format::{ENTITY_KEY_TABLE_NUMBER, ShardMetadata};
use super::layer_blocks::LayerBlockReader;
use super::slots::{RestorePermit, SlotRecordBlock};
use crate::shard::Shard;
use crate::watermark::Watermark;

/// A shard during its restore. The caller loads every layer, the oldest first, and then calls [`ShardRestore::finish`].
/// After the last part of each layer, it calls [`ShardRestore::finish_layer`].
#[derive(Debug)]
pub struct ShardRestore {
    shard: Shard,
    slot_count: u32,
    target_by_saved_view: Vec<RestoreTarget>,
    layer_blocks: LayerBlockReader,
}

/// What happens to the saved state of a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SavedViewTarget {
    /// The state is dropped.
    Dropped,
    /// The view with this index gets the state. It has the same definition.
    SameDefinition(usize),
    /// A view with another definition gets the state.
    Migrated(ViewMigration),
}

/// A [`SavedViewTarget`] that is compiled for the shard.
#[derive(Debug)]
enum RestoreTarget {
    Dropped,
    View { view_index: usize, migration: Option<EntryMigration> },
}

impl ShardRestore {
    /// Starts a restore into the new shard `empty`. Every saved table has at most `slot_count` slots.
    /// `target_by_saved_view` has one element for every saved view. At most one saved view has the same target.
    #[must_use]
    pub fn new(empty: Shard, slot_count: u32, target_by_saved_view: Vec<SavedViewTarget>) -> Self {
        let compile = |target| match target {
            SavedViewTarget::Dropped => RestoreTarget::Dropped,
            SavedViewTarget::SameDefinition(view_index) => RestoreTarget::View { view_index, migration: None },
            SavedViewTarget::Migrated(migration) => {
                let view_index = migration.view_index;
                let migration = EntryMigration::new(&migration, empty.views[view_index].aggregators());
                RestoreTarget::View { view_index, migration: Some(migration) }
            }
        };
        let target_by_saved_view = target_by_saved_view.into_iter().map(compile).collect();
        Self { shard: empty, slot_count, target_by_saved_view, layer_blocks: LayerBlockReader::default() }
    }

    /// Loads one part of a layer. The caller must load the parts of a layer in the order in which they were saved.
    ///
    /// # Errors
    /// Fails when the bytes are not those of a snapshot.
    pub fn load_layer_part(&mut self, bytes: &[u8]) -> Result<(), DamagedSnapshot> {
        let Self { shard, slot_count, target_by_saved_view, layer_blocks } = self;
        layer_blocks.add_part(bytes, |table, records| {
            let records = SlotRecordBlock::new(*slot_count, records);
            if table == ENTITY_KEY_TABLE_NUMBER {
                return shard.entity_table.load_entity_keys(records);
            }
            let target = usize::try_from(table - 1).ok().and_then(|view| target_by_saved_view.get(view));
            match target.ok_or(DamagedSnapshot("a table of a view that the checkpoint does not list"))? {
                RestoreTarget::View { view_index, migration } => {
                    shard.views[*view_index].load_slot_records(migration.as_ref(), records)
                }
                RestoreTarget::Dropped => Ok(()),
            }
        })
    }

    /// Ends a layer, after its last part.
    ///
    /// # Errors
    /// Fails when the last part ends inside a block.
    pub fn finish_layer(&mut self) -> Result<(), DamagedSnapshot> {
        self.layer_blocks.finish_layer()
    }

    /// Returns the restored shard. `metadata` supplies the watermark and the number of rows that each view has emitted,
    /// in the order of the shard's views.
    ///
    /// # Errors
    /// Fails when a slot has state but no entity key, when two slots have the same entity key, or when the last layer
    /// ends inside a block.
    pub fn finish(mut self, metadata: &ShardMetadata) -> Result<Shard, DamagedSnapshot> {
        self.layer_blocks.finish_layer()?;
        let permit = RestorePermit::new();
        let watermark = metadata.watermark.unwrap_or(Watermark::BEFORE_ALL_EVENTS);
        self.shard.watermark.set_time(watermark, metadata.watermark_by_events.unwrap_or(Watermark::BEFORE_ALL_EVENTS));
        for (view, &rows) in self.shard.views.iter_mut().zip(&metadata.emitted_row_counts) {
            view.finish_restore(&mut self.shard.entity_table, rows, watermark, &permit);
        }
        self.shard.entity_table.finish_restore(self.slot_count, &permit)?;
        Ok(self.shard)
    }
}

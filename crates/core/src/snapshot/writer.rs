//! The running snapshot of one table: the slots that are still to be saved, and the bytes saved so far.
//!
//! Owns: three sets of slots, the scan over them, the saved bytes. Does not own: access to the slots and their
//! encoding. Only [`super::slots`] calls the methods that are private to `snapshot`.
//! Invariant: the writer remembers the changes that a snapshot covers until the snapshot ends. If the snapshot is
//! discarded, the next one includes these changes.

use fixedbitset::FixedBitSet;

use super::encoding::{write_bytes, write_signed, write_unsigned};
use super::format::{SnapshotScope, SnapshotStorageOutcome};
use crate::entity_slot::EntitySlot;

#[derive(Debug, Default)]
pub(crate) struct SnapshotWriter {
    /// Slots that events have changed since the last snapshot began.
    changed_slots: FixedBitSet,
    /// Slots that the running snapshot has not saved yet.
    pending_slots: FixedBitSet,
    /// The value of `changed_slots` when the running snapshot began.
    changed_slots_at_start: FixedBitSet,
    /// The slot from which the scan continues. No slot below it is pending.
    scan_position: usize,
    saved_records: Vec<u8>,
    /// The slot of the last record in `saved_records`.
    last_saved_slot: i64,
}

impl SnapshotWriter {
    /// Records that an event is about to change `slot`. Returns whether the slot must be saved first.
    pub(super) fn mark_changed(&mut self, slot: EntitySlot) -> bool {
        self.changed_slots.grow_and_insert(slot.index());
        self.take_pending_flag(slot)
    }

    /// Removes `slot` from the pending slots. Returns whether it was pending, so that the caller must save it before a
    /// change.
    pub(super) fn take_pending_flag(&mut self, slot: EntitySlot) -> bool {
        let pending = self.pending_slots.contains(slot.index());
        if pending {
            self.pending_slots.remove(slot.index());
        }
        pending
    }

    /// Begins a snapshot of a table of `slot_count` slots.
    pub(super) fn begin(&mut self, scope: SnapshotScope, slot_count: usize) {
        self.changed_slots_at_start = std::mem::take(&mut self.changed_slots);
        self.pending_slots = match scope {
            SnapshotScope::Changes => self.changed_slots_at_start.clone(),
            SnapshotScope::Everything => {
                let mut all = FixedBitSet::with_capacity(slot_count);
                all.insert_range(..);
                all
            }
        };
        self.scan_position = 0;
        self.saved_records.clear();
        self.last_saved_slot = 0;
    }

    /// Returns the next slot to save, and removes it from the pending slots.
    pub(super) fn take_next_pending_slot(&mut self) -> Option<EntitySlot> {
        const BITS_PER_WORD: usize = usize::BITS as usize;
        let words = self.pending_slots.as_slice();
        let word = (self.scan_position / BITS_PER_WORD..words.len()).find(|&word| words[word] != 0)?;
        self.scan_position = word * BITS_PER_WORD + words[word].trailing_zeros() as usize;
        self.pending_slots.remove(self.scan_position);
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        Some(EntitySlot(self.scan_position as u32))
    }

    /// Appends the record of `slot`, whose state `write` encodes. Returns the size of the record in bytes.
    pub(super) fn write_slot_record(&mut self, slot: EntitySlot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.saved_records.len();
        write_signed(&mut self.saved_records, i64::from(slot.0) - self.last_saved_slot);
        self.last_saved_slot = i64::from(slot.0);
        write(&mut self.saved_records);
        self.saved_records.len() - before
    }

    /// Returns the number of bytes that are saved and not yet taken.
    pub(super) fn buffered_byte_count(&self) -> usize {
        self.saved_records.len()
    }

    /// Moves the saved bytes to the end of `out`, as a block of `table`.
    pub(super) fn take_saved_block(&mut self, table: u64, out: &mut Vec<u8>) {
        if !self.saved_records.is_empty() {
            write_unsigned(out, table);
            write_bytes(out, &self.saved_records);
            self.saved_records.clear();
            self.last_saved_slot = 0;
        }
    }

    /// Ends the running snapshot, whether complete or not.
    pub(super) fn end(&mut self, result: SnapshotStorageOutcome) {
        let changes = std::mem::take(&mut self.changed_slots_at_start);
        if result == SnapshotStorageOutcome::Discarded {
            self.changed_slots.union_with(&changes);
        }
        self.pending_slots = FixedBitSet::new();
        self.saved_records = Vec::new();
    }
}

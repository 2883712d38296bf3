//! The running snapshot of one table: which slots it still has to save, and the bytes it has saved.
//!
//! Owns: three sets of slots, the scan over them, the bytes saved so far. Does not own: access to the slots and their
//! encoding ([`super::slots`]), which alone calls the methods that are private to `snapshot`.
//! Invariant: until a snapshot has ended, the changes it covers are remembered; the next one includes those of a discarded
//! one.

use fixedbitset::FixedBitSet;

use super::encoding::{write_bytes, write_number, write_signed};
use super::format::{SnapshotResult, SnapshotScope};
use crate::entity_slot::EntitySlot;

#[derive(Debug, Default)]
pub(crate) struct SnapshotWriter {
    /// Slots that events have changed since the last snapshot began.
    changed_slots: FixedBitSet,
    /// Slots that the running snapshot has not saved yet.
    pending_slots: FixedBitSet,
    /// The value of `changed_slots` when the running snapshot began.
    changes_at_start: FixedBitSet,
    /// No slot below this one is pending.
    scan_position: usize,
    buffer: Vec<u8>,
    /// The slot of the last record in `buffer`.
    last_slot: i64,
}

impl SnapshotWriter {
    /// Notes that an event is about to change `slot`. Returns whether the slot must be saved first.
    pub(super) fn mark_changed(&mut self, slot: EntitySlot) -> bool {
        self.changed_slots.grow_and_insert(slot.index());
        self.take_pending(slot)
    }

    /// Returns whether `slot` must be saved now, because it is about to lose state that the watermark accounts for.
    pub(super) fn take_pending(&mut self, slot: EntitySlot) -> bool {
        let pending = self.pending_slots.contains(slot.index());
        if pending {
            self.pending_slots.remove(slot.index());
        }
        pending
    }

    /// Begins a snapshot of a table of `slot_count` slots.
    pub(super) fn begin(&mut self, scope: SnapshotScope, slot_count: usize) {
        self.changes_at_start = std::mem::take(&mut self.changed_slots);
        self.pending_slots = match scope {
            SnapshotScope::Changes => self.changes_at_start.clone(),
            SnapshotScope::Everything => {
                let mut all = FixedBitSet::with_capacity(slot_count);
                all.insert_range(..);
                all
            }
        };
        self.scan_position = 0;
        self.buffer.clear();
        self.last_slot = 0;
    }

    /// Returns the next slot to save, and removes it from the pending ones.
    pub(super) fn next_pending_slot(&mut self) -> Option<EntitySlot> {
        const BITS: usize = usize::BITS as usize;
        let words = self.pending_slots.as_slice();
        let word = (self.scan_position / BITS..words.len()).find(|&word| words[word] != 0)?;
        self.scan_position = word * BITS + words[word].trailing_zeros() as usize;
        self.pending_slots.remove(self.scan_position);
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        Some(EntitySlot(self.scan_position as u32))
    }

    /// Appends the record of `slot`, whose state `write` encodes. Returns the record's bytes.
    pub(super) fn write_record(&mut self, slot: EntitySlot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.buffer.len();
        write_signed(&mut self.buffer, i64::from(slot.0) - self.last_slot);
        self.last_slot = i64::from(slot.0);
        write(&mut self.buffer);
        self.buffer.len() - before
    }

    /// Returns the number of bytes that are saved and not yet taken.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Moves the saved bytes to the end of `out`, as a block of `table`.
    pub(super) fn take_block(&mut self, table: u64, out: &mut Vec<u8>) {
        if !self.buffer.is_empty() {
            write_number(out, table);
            write_bytes(out, &self.buffer);
            self.buffer.clear();
            self.last_slot = 0;
        }
    }

    /// Ends the running snapshot, whether complete or not.
    pub(super) fn end(&mut self, result: SnapshotResult) {
        let changes = std::mem::take(&mut self.changes_at_start);
        if result == SnapshotResult::Discarded {
            self.changed_slots.union_with(&changes);
        }
        self.pending_slots = FixedBitSet::new();
        self.buffer = Vec::new();
    }
}

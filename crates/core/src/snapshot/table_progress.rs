//! The running snapshot of one table: which slots are not saved yet, and the bytes of the saved slots.
//!
//! A pending slot is a slot that the running snapshot has not saved yet. Owns: the sets of changed and pending slots,
//! the scan over pending slots, the saved bytes. Does not own: access to slots and their encoding (module
//! [`super::slots`], the only caller).
//! Invariant: until the running snapshot ends, the writer keeps the set of slots that had changed when the snapshot
//! began. If the snapshot is discarded, the next delta includes these slots too.

use std::collections::VecDeque;

use fixedbitset::FixedBitSet;

use super::encoding::{write_bytes, write_signed, write_unsigned};
use super::format::{BaseOrDelta, SnapshotStorageOutcome};
use crate::entity_slot::EntitySlot;

/// A block with at least this number of bytes is full: the next saved slot begins another block. So the worker can take
/// saved bytes in small pieces, however many slots were saved before.
const FULL_BLOCK_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct TableSnapshotProgress {
    /// The slots that events have changed since the latest snapshot began. If the caller discarded that snapshot, its
    /// changed slots belong to the set too.
    changed_slots: FixedBitSet,
    /// The slots that the running snapshot has not saved yet.
    pending_slots: FixedBitSet,
    /// The content of `changed_slots` at the moment when the running snapshot began.
    changed_slots_at_start: FixedBitSet,
    /// The index at which the scan for pending slots continues. No slot below this index is pending.
    scan_position: usize,
    /// The saved slots of full blocks, oldest first.
    full_blocks: VecDeque<Vec<u8>>,
    /// The saved slots of the block that is not yet full.
    saved_records: Vec<u8>,
    /// The index of the last slot in `saved_records`; 0 while `saved_records` is empty.
    last_saved_slot: i64,
}

impl TableSnapshotProgress {
    /// Records that an event is about to change `slot`. Returns `true` if the caller must save the slot first.
    pub(super) fn mark_changed(&mut self, slot: EntitySlot) -> bool {
        self.changed_slots.grow_and_insert(slot.index());
        let pending = self.is_pending(slot);
        if pending {
            self.pending_slots.remove(slot.index());
        }
        pending
    }

    /// Returns whether the running snapshot has not saved `slot` yet.
    pub(super) fn is_pending(&self, slot: EntitySlot) -> bool {
        self.pending_slots.contains(slot.index())
    }

    /// Begins a snapshot of a table with `slot_count` slots.
    pub(super) fn begin_snapshot(&mut self, base_or_delta: BaseOrDelta, slot_count: usize) {
        self.changed_slots_at_start = std::mem::take(&mut self.changed_slots);
        self.pending_slots = match base_or_delta {
            BaseOrDelta::Delta => self.changed_slots_at_start.clone(),
            BaseOrDelta::Base => {
                let mut all = FixedBitSet::with_capacity(slot_count);
                all.insert_range(..);
                all
            }
        };
        self.scan_position = 0;
        self.full_blocks.clear();
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
        #[expect(clippy::cast_possible_truncation, reason = "slot indexes have 32 bits")]
        Some(EntitySlot(self.scan_position as u32))
    }

    /// Appends `slot` to the saved bytes: the distance from the index of the last saved slot to its index, and the
    /// state that `write` encodes. Returns the number of appended bytes.
    pub(super) fn write_slot_record(&mut self, slot: EntitySlot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.saved_records.len();
        write_signed(&mut self.saved_records, i64::from(slot.0) - self.last_saved_slot);
        self.last_saved_slot = i64::from(slot.0);
        write(&mut self.saved_records);
        let saved = self.saved_records.len() - before;
        if self.saved_records.len() >= FULL_BLOCK_BYTES {
            self.full_blocks.push_back(std::mem::take(&mut self.saved_records));
            self.last_saved_slot = 0;
        }
        saved
    }

    /// Returns the number of saved bytes that [`Self::take_saved_block`] has not taken yet.
    #[cfg(test)]
    pub(super) fn buffered_byte_count(&self) -> usize {
        self.full_blocks.iter().map(Vec::len).sum::<usize>() + self.saved_records.len()
    }

    /// Moves the oldest block of saved slots to the end of `out`, with the table number `table`. Returns `false` if no
    /// saved slot is left.
    pub(super) fn take_saved_block(&mut self, table: u64, out: &mut Vec<u8>) -> bool {
        if let Some(records) = self.full_blocks.pop_front() {
            write_unsigned(out, table);
            write_bytes(out, &records);
        } else if self.saved_records.is_empty() {
            return false;
        } else {
            write_unsigned(out, table);
            write_bytes(out, &self.saved_records);
            self.saved_records.clear();
            self.last_saved_slot = 0;
        }
        true
    }

    /// Ends the running snapshot, even if some slots are pending. `result` says whether the caller has stored the bytes
    /// of the snapshot.
    pub(super) fn end_snapshot(&mut self, result: SnapshotStorageOutcome) {
        let changes = std::mem::take(&mut self.changed_slots_at_start);
        if result == SnapshotStorageOutcome::Discarded {
            self.changed_slots.union_with(&changes);
        }
        self.pending_slots = FixedBitSet::new();
        self.full_blocks = VecDeque::new();
        self.saved_records = Vec::new();
    }
}

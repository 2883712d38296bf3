//! What of one table (the entity keys, or one view's state) is to be saved, and what has been.
//!
//! Owns: three sets of slots, the walk over them, the bytes saved so far. Does not own: what a slot's record looks like
//! (whoever owns the table passes that in).
//! Invariants: (1) a slot changes only after [`SnapshotWriter::mark_changed`] or [`SnapshotWriter::take_pending`] was asked, and saved where they
//! said so; (2) until a snapshot is settled, what it took is not forgotten: one that fails is made up for by the next.

use fixedbitset::FixedBitSet;

use super::{SnapshotScope, wire};
use crate::entities::EntitySlot;

#[derive(Debug, Default)]
pub(crate) struct SnapshotWriter {
    /// Slots that events have touched since the last cut.
    changed_slots: FixedBitSet,
    /// Slots of the snapshot under way that are not saved yet.
    pending_slots: FixedBitSet,
    /// What `changed` held at the cut of the snapshot under way.
    changes_at_start: FixedBitSet,
    /// No slot below it is pending.
    scan_position: usize,
    buffer: Vec<u8>,
    /// The slot of the last record in `saved`.
    last_slot: i64,
}

impl SnapshotWriter {
    /// An event is about to change `slot`; whether it must be saved first.
    pub(crate) fn mark_changed(&mut self, slot: EntitySlot) -> bool {
        self.changed_slots.grow_and_insert(slot.index());
        self.take_pending(slot)
    }

    /// Firing is about to remove something from `slot`, which the watermark will tell; whether it must be saved first.
    pub(crate) fn take_pending(&mut self, slot: EntitySlot) -> bool {
        let pending = self.pending_slots.contains(slot.index());
        if pending {
            self.pending_slots.remove(slot.index());
        }
        pending
    }

    /// Begins a snapshot of a table of `slots` slots.
    pub(crate) fn begin(&mut self, scope: SnapshotScope, slots: usize) {
        self.changes_at_start = std::mem::take(&mut self.changed_slots);
        self.pending_slots = match scope {
            SnapshotScope::Changes => self.changes_at_start.clone(),
            SnapshotScope::Everything => {
                let mut all = FixedBitSet::with_capacity(slots);
                all.insert_range(..);
                all
            }
        };
        self.scan_position = 0;
        self.buffer.clear();
        self.last_slot = 0;
    }

    /// The next slot to be saved, which is then no longer pending.
    pub(crate) fn next_pending_slot(&mut self) -> Option<EntitySlot> {
        const BITS: usize = usize::BITS as usize;
        let words = self.pending_slots.as_slice();
        let word = (self.scan_position / BITS..words.len()).find(|&word| words[word] != 0)?;
        self.scan_position = word * BITS + words[word].trailing_zeros() as usize;
        self.pending_slots.remove(self.scan_position);
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        Some(EntitySlot(self.scan_position as u32))
    }

    /// Saves `slot`'s record; its bytes.
    pub(crate) fn write_record(&mut self, slot: EntitySlot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.buffer.len();
        wire::write_signed(&mut self.buffer, i64::from(slot.0) - self.last_slot);
        self.last_slot = i64::from(slot.0);
        write(&mut self.buffer);
        self.buffer.len() - before
    }

    /// Bytes saved and not collected.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Moves what has been saved into `out`, as a block of `table`.
    pub(crate) fn take_block(&mut self, table: u64, out: &mut Vec<u8>) {
        if !self.buffer.is_empty() {
            wire::write_number(out, table);
            wire::write_bytes(out, &self.buffer);
            self.buffer.clear();
            self.last_slot = 0;
        }
    }

    /// Ends the snapshot under way, saved or not. Where it was not `kept`, the next one takes its slots too.
    pub(crate) fn end(&mut self, kept: bool) {
        let taken = std::mem::take(&mut self.changes_at_start);
        if !kept {
            self.changed_slots.union_with(&taken);
        }
        self.pending_slots = FixedBitSet::new();
        self.buffer = Vec::new();
    }
}

//! The slots of one table, guarded for the running snapshot.
//!
//! Owns: all mutable access to a table's slots, and that a slot is saved before it changes. Does not own: what a slot holds
//! and how its bytes look ([`SlotState`]).
//! Invariant: saved state changes only behind [`SnapshotSlots::change`], [`SnapshotSlots::expire`] or
//! [`GuardedSlot::expire`]. They first save the slot to the running snapshot, where it is still pending. A restore needs [`SlotRecords`] or a [`RestorePermit`], which
//! only [`super::restore`] creates; no snapshot runs then.

use std::ops::{Deref, Index};

use super::encoding::{DamagedSnapshot, SnapshotReader};
use super::format::{SnapshotResult, SnapshotScope};
use super::writer::SnapshotWriter;
use crate::entity_slot::EntitySlot;

/// What one slot of a table holds. The default is a slot without state.
pub(crate) trait SlotState: Default {
    /// What all slots of the table have in common and their bytes depend on.
    type Layout;

    /// Returns whether there is no state to save.
    fn is_empty(&self) -> bool;
    /// Appends the state to a snapshot.
    fn save(&self, layout: &Self::Layout, out: &mut Vec<u8>);
    /// Reads the bytes that [`Self::save`] wrote.
    fn load(layout: &Self::Layout, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot>;
}

/// A slot with a part that snapshots do not hold, because a restore derives it from the rest.
pub(crate) trait DerivedState: SlotState {
    type Derived;

    fn derived_mut(&mut self) -> &mut Self::Derived;
}

/// The slots of one table. Slots are shared freely and changed only through the guarded methods.
#[derive(Debug)]
pub(crate) struct SnapshotSlots<S> {
    slots: Vec<S>,
    writer: SnapshotWriter,
}

impl<S> Default for SnapshotSlots<S> {
    fn default() -> Self {
        Self { slots: Vec::new(), writer: SnapshotWriter::default() }
    }
}

impl<S> Index<EntitySlot> for SnapshotSlots<S> {
    type Output = S;

    fn index(&self, slot: EntitySlot) -> &S {
        &self.slots[slot.index()]
    }
}

impl<S: SlotState> SnapshotSlots<S> {
    /// Returns the number of slots, in use or free.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds slots without state until `slot` exists.
    #[inline]
    pub(crate) fn grow_to(&mut self, slot: EntitySlot) {
        if slot.index() >= self.slots.len() {
            self.slots.resize_with(slot.index() + 1, S::default);
        }
    }

    /// Opens `slot` for a change by an event. The next snapshot of changes includes the slot.
    #[inline]
    pub(crate) fn change(&mut self, slot: EntitySlot, layout: &S::Layout) -> &mut S {
        let state = &mut self.slots[slot.index()];
        if self.writer.mark_changed(slot) && !state.is_empty() {
            self.writer.write_record(slot, |out| state.save(layout, out));
        }
        state
    }

    /// Opens `slot` for the removal of state that the watermark has passed. A restore removes it again, so the next snapshot
    /// of changes need not include the slot.
    #[inline]
    pub(crate) fn expire(&mut self, slot: EntitySlot, layout: &S::Layout) -> &mut S {
        GuardedSlot { slot, state: &mut self.slots[slot.index()], writer: &mut self.writer }.expire(layout)
    }

    /// Calls `visit` with every slot that holds state, in their order.
    #[inline]
    pub(crate) fn visit_in_use(&mut self, mut visit: impl FnMut(GuardedSlot<'_, S>)) {
        for (index, state) in self.slots.iter_mut().enumerate() {
            if !state.is_empty() {
                visit(GuardedSlot { slot: EntitySlot::at(index), state, writer: &mut self.writer });
            }
        }
    }

    /// Begins a snapshot of the state as it is now.
    pub(crate) fn begin_snapshot(&mut self, scope: SnapshotScope) {
        self.writer.begin(scope, self.slots.len());
    }

    /// Saves the next pending slot. Returns the bytes of its record, or `None` when all slots are saved.
    pub(crate) fn save_next_slot(&mut self, layout: &S::Layout) -> Option<usize> {
        let slot = self.writer.next_pending_slot()?;
        let state = self.slots.get(slot.index()).filter(|state| !state.is_empty());
        Some(state.map_or(0, |state| self.writer.write_record(slot, |out| state.save(layout, out))))
    }

    /// Returns the number of bytes that are saved and not yet taken.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.writer.buffered_bytes()
    }

    /// Moves the saved bytes to the end of `out`, as a block of `table`.
    pub(crate) fn take_snapshot_block(&mut self, table: u64, out: &mut Vec<u8>) {
        self.writer.take_block(table, out);
    }

    /// Ends the running snapshot, whether complete or not.
    pub(crate) fn end_snapshot(&mut self, result: SnapshotResult) {
        self.writer.end(result);
    }

    /// Replaces the slots of one block by their saved state. `check` may refuse a slot.
    pub(crate) fn load(
        &mut self,
        layout: &S::Layout,
        records: SlotRecords<'_>,
        mut check: impl FnMut(EntitySlot, &S) -> Result<(), DamagedSnapshot>,
    ) -> Result<(), DamagedSnapshot> {
        let SlotRecords { slot_count, mut reader } = records;
        let mut last = 0_i64;
        while !reader.is_empty() {
            last = last.wrapping_add(reader.read_signed()?);
            let slot = u32::try_from(last).ok().filter(|&slot| slot < slot_count);
            let slot = EntitySlot(slot.ok_or(DamagedSnapshot("a slot outside the table"))?);
            self.grow_to(slot);
            let state = S::load(layout, &mut reader)?;
            check(slot, &state)?;
            self.slots[slot.index()] = state;
        }
        Ok(())
    }

    /// Returns all slots, once everything is loaded.
    pub(crate) fn iter_restored(&mut self, _: &RestorePermit) -> impl Iterator<Item = (EntitySlot, &mut S)> {
        self.slots.iter_mut().enumerate().map(|(index, state)| (EntitySlot::at(index), state))
    }
}

impl<S: DerivedState> SnapshotSlots<S> {
    /// Opens the part of `slot` that snapshots do not hold.
    #[inline]
    pub(crate) fn derived_mut(&mut self, slot: EntitySlot) -> &mut S::Derived {
        self.slots[slot.index()].derived_mut()
    }
}

/// One slot of a table, for reading until [`GuardedSlot::expire`] opens it.
pub(crate) struct GuardedSlot<'a, S> {
    slot: EntitySlot,
    state: &'a mut S,
    writer: &'a mut SnapshotWriter,
}

impl<'a, S: SlotState> GuardedSlot<'a, S> {
    pub(crate) fn slot(&self) -> EntitySlot {
        self.slot
    }

    /// Opens the slot, as [`SnapshotSlots::expire`] does.
    #[inline]
    pub(crate) fn expire(self, layout: &S::Layout) -> &'a mut S {
        let Self { slot, state, writer } = self;
        if writer.take_pending(slot) && !state.is_empty() {
            writer.write_record(slot, |out| state.save(layout, out));
        }
        state
    }
}

impl<S> Deref for GuardedSlot<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.state
    }
}

/// The records of one block of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRecords<'a> {
    slot_count: u32,
    reader: SnapshotReader<'a>,
}

impl<'a> SlotRecords<'a> {
    /// Takes the bytes of a block of a snapshot with `slot_count` slots.
    pub(super) const fn new(slot_count: u32, bytes: &'a [u8]) -> Self {
        Self { slot_count, reader: SnapshotReader::new(bytes) }
    }
}

/// Allows changes without a snapshot: the shard is being restored.
#[derive(Debug)]
pub(crate) struct RestorePermit(());

impl RestorePermit {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

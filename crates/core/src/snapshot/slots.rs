//! A table of slots. While a snapshot runs, the table saves a slot before the slot changes.
//!
//! Owns: all write access to the slots of a table. Does not own: the content of a slot and its encoding
//! ([`SlotState`]).
//! Invariant: while a snapshot may run, the state in a slot changes only through [`SlotTable::open_for_change`],
//! [`SlotTable::open_for_expiry`] or [`ReadOnlySlot::open_for_expiry`]. If the running snapshot has not saved the slot
//! yet, these methods save the slot first. During a restore no snapshot runs. A restore therefore changes slots
//! directly, with a [`SlotRecordBlock`] or a [`RestorePermit`], which only [`super::restore`] creates.

use std::ops::{Deref, Index};

use super::encoding::{DamagedSnapshot, SnapshotReader};
use super::format::{BaseOrDelta, SnapshotStorageOutcome};
use super::table_progress::TableSnapshotProgress;
use crate::entity_slot::EntitySlot;

/// The content of one slot. The default value is a slot without state.
pub(crate) trait SlotState: Default {
    /// Data that saving and loading need in addition to the slot. It is the same for all slots of a table.
    type EncodingContext;

    /// Returns whether the slot holds no state.
    fn is_empty(&self) -> bool;
    /// Appends the slot's state to a snapshot.
    fn save(&self, context: &Self::EncodingContext, out: &mut Vec<u8>);
    /// Reads the state of a slot that [`Self::save`] wrote.
    fn load(context: &Self::EncodingContext, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot>;
}

/// The content of a slot, with a part that is derived from other state. Snapshots omit the derived part, because a
/// restore computes it again.
pub(crate) trait HasDerivedState: SlotState {
    type DerivedState;

    fn derived_state_mut(&mut self) -> &mut Self::DerivedState;
}

/// A table of slots with the running snapshot of the table. Reading a slot is always allowed. Before a method gives
/// write access to the state in a slot, it saves the slot to the running snapshot. A restore needs no such step,
/// because no snapshot runs then.
#[derive(Debug)]
pub(crate) struct SlotTable<S> {
    slots: Vec<S>,
    snapshot_progress: TableSnapshotProgress,
}

impl<S> Default for SlotTable<S> {
    fn default() -> Self {
        Self { slots: Vec::new(), snapshot_progress: TableSnapshotProgress::default() }
    }
}

impl<S> Index<EntitySlot> for SlotTable<S> {
    type Output = S;

    fn index(&self, slot: EntitySlot) -> &S {
        &self.slots[slot.index()]
    }
}

impl<S: SlotState> SlotTable<S> {
    /// Returns the number of slots, including slots without state.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds empty slots until `slot` exists.
    #[inline]
    pub(crate) fn grow_to_include(&mut self, slot: EntitySlot) {
        if slot.index() >= self.slots.len() {
            self.slots.resize_with(slot.index() + 1, S::default);
        }
    }

    /// Returns write access to `slot` for a change that an event causes. The next delta (a snapshot of changes)
    /// includes the slot.
    #[inline]
    pub(crate) fn open_for_change(&mut self, slot: EntitySlot, context: &S::EncodingContext) -> &mut S {
        let state = &mut self.slots[slot.index()];
        if self.snapshot_progress.mark_changed(slot) && !state.is_empty() {
            self.snapshot_progress.write_slot_record(slot, |out| state.save(context, out));
        }
        state
    }

    /// Returns write access to `slot` for the removal of state whose last window has fired. A restore repeats the
    /// removal, so the next delta (a snapshot of changes) need not include the slot.
    #[inline]
    pub(crate) fn open_for_expiry(&mut self, slot: EntitySlot, context: &S::EncodingContext) -> &mut S {
        ReadOnlySlot { slot, state: &mut self.slots[slot.index()], snapshot_progress: &mut self.snapshot_progress }
            .open_for_expiry(context)
    }

    /// Calls `visit` with every slot that holds state, in ascending order of the slots.
    #[inline]
    pub(crate) fn visit_slots_with_state(&mut self, mut visit: impl FnMut(ReadOnlySlot<'_, S>)) {
        for (index, state) in self.slots.iter_mut().enumerate() {
            if !state.is_empty() {
                visit(ReadOnlySlot {
                    slot: EntitySlot::from_index(index),
                    state,
                    snapshot_progress: &mut self.snapshot_progress,
                });
            }
        }
    }

    /// Begins a snapshot of the table in its current state.
    pub(crate) fn begin_snapshot(&mut self, base_or_delta: BaseOrDelta) {
        self.snapshot_progress.begin_snapshot(base_or_delta, self.slots.len());
    }

    /// Saves the next slot that the running snapshot has not saved yet. Returns the number of saved bytes, or `None`
    /// when all slots are saved.
    pub(crate) fn save_next_pending_slot(&mut self, context: &S::EncodingContext) -> Option<usize> {
        let slot = self.snapshot_progress.take_next_pending_slot()?;
        let state = self.slots.get(slot.index()).filter(|state| !state.is_empty());
        Some(state.map_or(0, |state| self.snapshot_progress.write_slot_record(slot, |out| state.save(context, out))))
    }

    /// Returns the number of saved bytes that [`Self::take_snapshot_block`] has not taken yet.
    pub(crate) fn buffered_byte_count(&self) -> usize {
        self.snapshot_progress.buffered_byte_count()
    }

    /// Moves the saved bytes to the end of `out`, where they form one block with the table number `table`.
    pub(crate) fn take_snapshot_block(&mut self, table: u64, out: &mut Vec<u8>) {
        self.snapshot_progress.take_saved_block(table, out);
    }

    /// Ends the running snapshot, even if some slots are not saved yet. `result` says whether the caller has stored the
    /// bytes of the snapshot.
    pub(crate) fn end_snapshot(&mut self, result: SnapshotStorageOutcome) {
        self.snapshot_progress.end_snapshot(result);
    }

    /// Loads the slots of one block of a snapshot. A loaded slot replaces the slot with the same index. Loading ends
    /// with an error at the first slot that `check` rejects.
    pub(crate) fn load_slot_block(
        &mut self,
        context: &S::EncodingContext,
        records: SlotRecordBlock<'_>,
        mut check: impl FnMut(EntitySlot, &S) -> Result<(), DamagedSnapshot>,
    ) -> Result<(), DamagedSnapshot> {
        let SlotRecordBlock { slot_count, mut reader } = records;
        let mut last = 0_i64;
        while !reader.is_empty() {
            last = last.wrapping_add(reader.read_signed()?);
            let slot = u32::try_from(last).ok().filter(|&slot| slot < slot_count);
            let slot = EntitySlot(slot.ok_or(DamagedSnapshot("a slot index that is not below the number of slots"))?);
            self.grow_to_include(slot);
            let state = S::load(context, &mut reader)?;
            check(slot, &state)?;
            self.slots[slot.index()] = state;
        }
        Ok(())
    }

    /// Returns an iterator over all slots, with write access. The caller must load all blocks first.
    pub(crate) fn iter_restored_slots(&mut self, _: &RestorePermit) -> impl Iterator<Item = (EntitySlot, &mut S)> {
        self.slots.iter_mut().enumerate().map(|(index, state)| (EntitySlot::from_index(index), state))
    }
}

impl<S: HasDerivedState> SlotTable<S> {
    /// Returns write access to the derived part of `slot`. Snapshots omit this part, so the slot need not be saved
    /// first.
    #[inline]
    pub(crate) fn derived_state_mut(&mut self, slot: EntitySlot) -> &mut S::DerivedState {
        self.slots[slot.index()].derived_state_mut()
    }
}

/// One slot of a table, with read access. [`ReadOnlySlot::open_for_expiry`] gives write access.
pub(crate) struct ReadOnlySlot<'a, S> {
    slot: EntitySlot,
    state: &'a mut S,
    snapshot_progress: &'a mut TableSnapshotProgress,
}

impl<'a, S: SlotState> ReadOnlySlot<'a, S> {
    pub(crate) fn slot(&self) -> EntitySlot {
        self.slot
    }

    /// Returns write access to the slot for the removal of state, as [`SlotTable::open_for_expiry`] does.
    #[inline]
    pub(crate) fn open_for_expiry(self, context: &S::EncodingContext) -> &'a mut S {
        let Self { slot, state, snapshot_progress: writer } = self;
        if writer.remove_pending_slot(slot) && !state.is_empty() {
            writer.write_slot_record(slot, |out| state.save(context, out));
        }
        state
    }
}

impl<S> Deref for ReadOnlySlot<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.state
    }
}

/// The saved slots in one block of a snapshot, all of the same table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRecordBlock<'a> {
    slot_count: u32,
    reader: SnapshotReader<'a>,
}

impl<'a> SlotRecordBlock<'a> {
    /// Wraps `bytes`, the saved slots of one block. Every slot index in the block is below `slot_count`.
    pub(super) const fn new(slot_count: u32, bytes: &'a [u8]) -> Self {
        Self { slot_count, reader: SnapshotReader::new(bytes) }
    }
}

/// The permit to change slots without saving them first. Only a restore has it, because no snapshot runs during a
/// restore.
#[derive(Debug)]
pub(crate) struct RestorePermit(());

impl RestorePermit {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

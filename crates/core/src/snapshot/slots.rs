//! A table of slots. While a snapshot runs, the table saves a slot before the slot changes.
//!
//! Owns: all write access to the slots of a table. Does not own: the content of a slot and its encoding
//! ([`SlotState`]).
//! Invariants: (1) While a snapshot may run, the state in a slot changes only through [`SlotTable::open_for_change`],
//! [`SlotTable::expire_oldest_entries`] or [`ReadOnlySlot::expire_oldest_entries`]. If the running snapshot has not
//! saved the slot yet, the first saves the slot, and the others keep the removed entries. During a restore no snapshot
//! runs. A restore therefore changes slots directly, with a [`SlotRecordBlock`] or a [`RestorePermit`], which only
//! [`super::restore`] creates. (2) A window that fires saves no slot, however many slots it changes: only
//! [`SlotTable::continue_snapshot`] and changes by events add saved bytes.

use std::collections::BTreeMap;
use std::ops::{Deref, Index};

use super::encoding::{DamagedSnapshot, SnapshotReader};
use super::format::{BaseOrDelta, SnapshotStorageOutcome};
use super::table_progress::TableSnapshotProgress;
use crate::entity_slot::EntitySlot;

/// The content of one slot. The default value is a slot without state.
pub(crate) trait SlotState: Default {
    /// Data that saving needs in addition to the slot. It is the same for all slots of a table.
    type EncodingContext;

    /// Returns whether the slot holds no state.
    fn is_empty(&self) -> bool;
    /// Removes the `count` oldest entries (panes or sessions; the key of an entity is its only entry).
    fn remove_oldest_entries(&mut self, context: &Self::EncodingContext, count: usize);
    /// Moves the `count` oldest entries to the end of `expired`, which holds older entries of the same slot.
    fn move_oldest_entries(&mut self, context: &Self::EncodingContext, count: usize, expired: &mut Self);
    /// Appends the slot's state to a snapshot: the entries of `expired`, then the entries of `self`.
    fn save(&self, expired: Option<&Self>, context: &Self::EncodingContext, out: &mut Vec<u8>);
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
    expired_entries: ExpiredEntries<S>,
}

/// For each pending slot, the entries that fired windows have removed from it. The running snapshot still has to save
/// them. Moving them here takes no bytes for the snapshot and almost no time, whatever the size of the entries.
type ExpiredEntries<S> = BTreeMap<EntitySlot, S>;

impl<S> Default for SlotTable<S> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            snapshot_progress: TableSnapshotProgress::default(),
            expired_entries: ExpiredEntries::new(),
        }
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
        if self.snapshot_progress.mark_changed(slot) {
            save_pending_slot(slot, state, &mut self.expired_entries, &mut self.snapshot_progress, context);
        }
        state
    }

    /// Removes the `count` oldest entries of `slot`, whose last window has fired, and returns the slot. A restore
    /// repeats the removal, so the next delta (a snapshot of changes) need not include the slot.
    #[inline]
    pub(crate) fn expire_oldest_entries(&mut self, slot: EntitySlot, context: &S::EncodingContext, count: usize) -> &S {
        self.open_for_expiry(slot).expire_oldest_entries(context, count)
    }

    /// Returns `slot`, which may remove its oldest entries.
    #[inline]
    pub(crate) fn open_for_expiry(&mut self, slot: EntitySlot) -> ReadOnlySlot<'_, S> {
        ReadOnlySlot {
            slot,
            state: &mut self.slots[slot.index()],
            snapshot_progress: &self.snapshot_progress,
            expired_entries: &mut self.expired_entries,
        }
    }

    /// Begins a snapshot of the table in its current state.
    pub(crate) fn begin_snapshot(&mut self, base_or_delta: BaseOrDelta) {
        self.snapshot_progress.begin_snapshot(base_or_delta, self.slots.len());
        self.expired_entries = ExpiredEntries::new();
    }

    /// Moves blocks of saved slots to the end of `out`, until `out` has at least `full_length` bytes or the table holds
    /// no more saved bytes. The blocks have the table number `table`.
    pub(crate) fn take_saved_blocks(&mut self, table: u64, full_length: usize, out: &mut Vec<u8>) {
        while out.len() < full_length && self.snapshot_progress.take_saved_block(table, out) {}
    }

    /// Saves pending slots and moves their blocks to the end of `out`, until `out` has at least `full_length` bytes or
    /// all slots are saved. Returns `true` if all slots are saved and moved.
    pub(crate) fn continue_snapshot(
        &mut self,
        table: u64,
        context: &S::EncodingContext,
        full_length: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        // Slots without state add no bytes. They reduce the room too, so that the call ends soon in a table of them.
        let mut room = full_length.saturating_sub(out.len());
        while room > 0 {
            let Some(slot) = self.snapshot_progress.take_next_pending_slot() else {
                self.take_saved_blocks(table, usize::MAX, out);
                return true;
            };
            let saved = self.slots.get(slot.index()).map_or(0, |state| {
                save_pending_slot(slot, state, &mut self.expired_entries, &mut self.snapshot_progress, context)
            });
            room = room.saturating_sub(saved.max(1));
        }
        self.take_saved_blocks(table, full_length, out);
        false
    }

    /// Returns the number of saved bytes that the caller has not taken yet.
    #[cfg(test)]
    pub(crate) fn buffered_byte_count(&self) -> usize {
        self.snapshot_progress.buffered_byte_count()
    }

    /// Ends the running snapshot, even if some slots are not saved yet. `result` says whether the caller has stored the
    /// bytes of the snapshot.
    pub(crate) fn end_snapshot(&mut self, result: SnapshotStorageOutcome) {
        self.snapshot_progress.end_snapshot(result);
        self.expired_entries = ExpiredEntries::new();
    }

    /// Loads the slots of one block of a snapshot. A loaded slot replaces the slot with the same index. `load` reads the
    /// state of a slot that [`SlotState::save`] wrote. Loading ends with the first error of `load`.
    pub(crate) fn load_slot_block(
        &mut self,
        records: SlotRecordBlock<'_>,
        mut load: impl FnMut(EntitySlot, &mut SnapshotReader<'_>) -> Result<S, DamagedSnapshot>,
    ) -> Result<(), DamagedSnapshot> {
        let SlotRecordBlock { slot_count, mut reader } = records;
        let mut last = 0_i64;
        while !reader.is_empty() {
            last = last.wrapping_add(reader.read_signed()?);
            let slot = u32::try_from(last).ok().filter(|&slot| slot < slot_count);
            let slot = EntitySlot(slot.ok_or(DamagedSnapshot("a slot index that is not below the number of slots"))?);
            self.grow_to_include(slot);
            self.slots[slot.index()] = load(slot, &mut reader)?;
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

/// Saves `slot`, which is pending, to the running snapshot: the entries that fired windows have removed since the
/// snapshot began, and then `state`. Returns the number of saved bytes.
fn save_pending_slot<S: SlotState>(
    slot: EntitySlot,
    state: &S,
    expired_entries: &mut ExpiredEntries<S>,
    snapshot_progress: &mut TableSnapshotProgress,
    context: &S::EncodingContext,
) -> usize {
    let expired = expired_entries.remove(&slot);
    if expired.is_none() && state.is_empty() {
        return 0;
    }
    snapshot_progress.write_slot_record(slot, |out| state.save(expired.as_ref(), context, out))
}

/// One slot of a table, with read access. [`ReadOnlySlot::expire_oldest_entries`] removes entries.
pub(crate) struct ReadOnlySlot<'a, S> {
    slot: EntitySlot,
    state: &'a mut S,
    snapshot_progress: &'a TableSnapshotProgress,
    expired_entries: &'a mut ExpiredEntries<S>,
}

impl<'a, S: SlotState> ReadOnlySlot<'a, S> {
    /// Removes the `count` oldest entries of the slot, as [`SlotTable::expire_oldest_entries`] does.
    #[inline]
    pub(crate) fn expire_oldest_entries(self, context: &S::EncodingContext, count: usize) -> &'a S {
        let Self { slot, state, snapshot_progress, expired_entries } = self;
        if snapshot_progress.is_pending(slot) {
            state.move_oldest_entries(context, count, expired_entries.entry(slot).or_default());
        } else {
            state.remove_oldest_entries(context, count);
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

//! The entities for which a shard holds state. The table finds the slot of an entity by its key, and the key by the
//! slot.
//!
//! Owns: the assignment of slots, the entities' keys, and the release of unused slots. Does not own: the state of
//! views.
//! Invariants: (1) A slot is in use exactly while at least one view holds state for the slot. (2) The lowest free slot
//! is assigned first, so the slot of an entity depends on the events alone, even after a restore. Iteration is over
//! slots and never over the hash table, so no result depends on the order of hashes. (3) The caller supplies a random
//! hash key. So an attacker cannot choose entity keys that collide in the hash table (fault row 22 in `docs/faults.md`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use siphasher::sip::SipHasher13;

use crate::entity_slot::EntitySlot;
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader, write_bytes};
use crate::snapshot::slots::{HasDerivedState, RestorePermit, SlotRecordBlock, SlotState, SlotTable};

#[derive(Debug, Default)]
pub(crate) struct EntityEntry {
    /// The entity key, or `None` while the slot is free.
    key: Option<Box<str>>,
    /// The number of views that hold state for the entity.
    view_count: u32,
}

impl EntityEntry {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    fn load(reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Ok(Self { key: Some(reader.read_text()?.into()), view_count: 0 })
    }
}

impl SlotState for EntityEntry {
    type EncodingContext = ();

    fn is_empty(&self) -> bool {
        self.key.is_none()
    }

    fn remove_oldest_entries(&mut self, (): &(), _: usize) {
        self.key = None;
    }

    fn move_oldest_entries(&mut self, (): &(), _: usize, expired: &mut Self) {
        expired.key = self.key.take();
    }

    fn save(&self, expired: Option<&Self>, (): &(), out: &mut Vec<u8>) {
        write_bytes(out, expired.unwrap_or(self).key().as_bytes());
    }
}

impl HasDerivedState for EntityEntry {
    /// The number of views that hold state for the entity.
    type DerivedState = u32;

    fn derived_state_mut(&mut self) -> &mut u32 {
        &mut self.view_count
    }
}

/// The secret key of the hash function that hashes entity keys: 128 bits. Every process should draw its own hash key at
/// random. The hash key affects only the positions in a hash table, and never a row.
pub type SipHashKey = [u8; 16];

#[derive(Debug)]
pub(crate) struct EntityTable {
    slots_by_key: HashTable<EntitySlot>,
    pub(crate) entities_by_slot: SlotTable<EntityEntry>,
    free_slots: BinaryHeap<Reverse<EntitySlot>>,
    hash_key: SipHashKey,
    /// The slots whose entity key a restore has loaded. With this set, the restore detects slots that have state but no
    /// entity key. The set is empty while no restore runs.
    loaded_slots: FixedBitSet,
}

impl EntityTable {
    pub(crate) fn new(hash_key: SipHashKey) -> Self {
        Self {
            slots_by_key: HashTable::new(),
            entities_by_slot: SlotTable::default(),
            free_slots: BinaryHeap::new(),
            hash_key,
            loaded_slots: FixedBitSet::new(),
        }
    }

    /// Returns the number of entities with state.
    pub(crate) fn len(&self) -> usize {
        self.slots_by_key.len()
    }

    pub(crate) fn entity_key(&self, slot: EntitySlot) -> &str {
        self.entities_by_slot[slot].key()
    }

    /// Returns the slot of the entity with the key `key`. Assigns a slot if the entity has none. Afterwards the caller
    /// must call [`Self::release_slot_if_unused`], which frees the slot if no view has stored state for it.
    pub(crate) fn find_or_assign_slot(&mut self, key: &str) -> EntitySlot {
        let (slots, hash_key) = (&self.entities_by_slot, &self.hash_key);
        let entry = self.slots_by_key.entry(
            hash_entity_key(hash_key, key),
            |slot| *slots[*slot].key() == *key,
            |slot| hash_entity_key(hash_key, slots[*slot].key()),
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let next_slot = EntitySlot::from_index(self.entities_by_slot.len());
                let slot = self.free_slots.pop().map_or(next_slot, |Reverse(slot)| slot);
                entry.insert(slot);
                self.entities_by_slot.grow_to_include(slot);
                self.entities_by_slot.open_for_change(slot, &()).key = Some(key.into());
                slot
            }
        }
    }

    /// Records that one more view holds state for `slot`.
    pub(crate) fn add_view_to_slot(&mut self, slot: EntitySlot) {
        *self.entities_by_slot.derived_state_mut(slot) += 1;
    }

    /// Records that a view no longer holds state for `slot`, and frees the slot if no other view does.
    pub(crate) fn remove_view_from_slot(&mut self, slot: EntitySlot) {
        *self.entities_by_slot.derived_state_mut(slot) -= 1;
        self.release_slot_if_unused(slot);
    }

    /// Frees `slot` if no view holds state for it.
    pub(crate) fn release_slot_if_unused(&mut self, slot: EntitySlot) {
        let entity = &self.entities_by_slot[slot];
        if entity.view_count > 0 {
            return;
        }
        let hash = hash_entity_key(&self.hash_key, entity.key());
        if let Ok(entry) = self.slots_by_key.find_entry(hash, |stored| *stored == slot) {
            entry.remove();
            self.entities_by_slot.expire_oldest_entries(slot, &(), 1);
            self.free_slots.push(Reverse(slot));
        }
    }

    /// Loads the entity keys from one block of a snapshot, during a restore.
    pub(crate) fn load_entity_keys(&mut self, records: SlotRecordBlock<'_>) -> Result<(), DamagedSnapshot> {
        let loaded_slots = &mut self.loaded_slots;
        self.entities_by_slot.load_slot_block(records, |slot, reader| {
            let entity = EntityEntry::load(reader)?;
            loaded_slots.grow_and_insert(slot.index());
            Ok(entity)
        })
    }

    /// Records, during a restore, that one more view holds state for `slot`. Adds the slot to the table if the table is
    /// too short.
    pub(crate) fn add_view_to_restored_slot(&mut self, slot: EntitySlot) {
        self.entities_by_slot.grow_to_include(slot);
        self.add_view_to_slot(slot);
    }

    /// Ends a restore, after every view has ended its own restore. Frees the slots for which no view holds state.
    pub(crate) fn finish_restore(&mut self, slot_count: u32, permit: &RestorePermit) -> Result<(), DamagedSnapshot> {
        if let Some(last) = slot_count.checked_sub(1) {
            self.entities_by_slot.grow_to_include(EntitySlot(last));
        }
        let (mut used, mut free) = (Vec::new(), Vec::new());
        for (slot, entity) in self.entities_by_slot.iter_restored_slots(permit) {
            if entity.view_count > 0 {
                used.push(slot);
            } else {
                entity.key = None;
                free.push(Reverse(slot));
            }
        }
        let (slots, hash_key) = (&self.entities_by_slot, &self.hash_key);
        self.slots_by_key.reserve(used.len(), |_| 0);
        for slot in used {
            if !self.loaded_slots.contains(slot.index()) {
                return Err(DamagedSnapshot("a slot with state but without an entity key"));
            }
            let key = slots[slot].key();
            let hash = hash_entity_key(hash_key, key);
            if self.slots_by_key.find(hash, |stored| *slots[*stored].key() == *key).is_some() {
                return Err(DamagedSnapshot("the same entity key in two slots"));
            }
            self.slots_by_key.insert_unique(hash, slot, |stored| hash_entity_key(hash_key, slots[*stored].key()));
        }
        self.free_slots = free.into();
        self.loaded_slots = FixedBitSet::new();
        Ok(())
    }
}

fn hash_entity_key(hash_key: &SipHashKey, key: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(key.as_bytes());
    hasher.finish()
}

//! The entities that a shard holds state for: from key to slot and back.
//!
//! Owns: which entity has which slot, the entities' keys, and when a slot is free again. Does not own: the views' state.
//! Invariants: (1) a slot is in use exactly while some view holds state for it; (2) the lowest free slot is assigned first,
//! so the slot depends on the events alone, also after a restore; all iteration is over slots, never over the hash table,
//! so no hash order can reach a result; (3) the caller supplies the key of the hash, so keys that were built to collide do
//! not (fault row 22).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use siphasher::sip::SipHasher13;

use crate::entity_slot::EntitySlot;
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader, write_bytes};
use crate::snapshot::slots::{DerivedState, RestorePermit, SlotRecords, SlotState, SnapshotSlots};

#[derive(Debug, Default)]
pub(crate) struct EntityEntry {
    /// `None` while the slot is free.
    key: Option<Box<str>>,
    /// Number of views that hold state for the entity.
    view_count: u32,
}

impl EntityEntry {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }
}

impl SlotState for EntityEntry {
    type Layout = ();

    fn is_empty(&self) -> bool {
        self.key.is_none()
    }

    fn save(&self, (): &(), out: &mut Vec<u8>) {
        write_bytes(out, self.key().as_bytes());
    }

    fn load((): &(), reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Ok(Self { key: Some(reader.read_text()?.into()), view_count: 0 })
    }
}

impl DerivedState for EntityEntry {
    /// The number of views that hold state for the entity.
    type Derived = u32;

    fn derived_mut(&mut self) -> &mut u32 {
        &mut self.view_count
    }
}

/// The key under which entity keys are hashed: any 128 bits, best drawn at random once per process. It decides where keys
/// lie in memory, and never changes a result.
pub type HashKey = [u8; 16];

#[derive(Debug)]
pub(crate) struct EntityTable {
    slots_by_key: HashTable<EntitySlot>,
    pub(crate) slots: SnapshotSlots<EntityEntry>,
    free_slots: BinaryHeap<Reverse<EntitySlot>>,
    hash_key: HashKey,
    /// During a restore: the slots whose key is loaded.
    loaded_slots: FixedBitSet,
}

impl EntityTable {
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self {
            slots_by_key: HashTable::new(),
            slots: SnapshotSlots::default(),
            free_slots: BinaryHeap::new(),
            hash_key,
            loaded_slots: FixedBitSet::new(),
        }
    }

    /// Returns the number of entities with state.
    pub(crate) fn len(&self) -> usize {
        self.slots_by_key.len()
    }

    pub(crate) fn key(&self, slot: EntitySlot) -> &str {
        self.slots[slot].key()
    }

    /// Returns the slot of `key`, and assigns one where it has none. Unless a view then takes the slot, the caller must call
    /// [`Self::release_if_unused`].
    pub(crate) fn find_or_assign_slot(&mut self, key: &str) -> EntitySlot {
        let (slots, hash_key) = (&self.slots, &self.hash_key);
        let entry = self.slots_by_key.entry(
            hash_entity_key(hash_key, key),
            |slot| *slots[*slot].key() == *key,
            |slot| hash_entity_key(hash_key, slots[*slot].key()),
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let next_slot = EntitySlot::at(self.slots.len());
                let slot = self.free_slots.pop().map_or(next_slot, |Reverse(slot)| slot);
                entry.insert(slot);
                self.slots.grow_to(slot);
                self.slots.change(slot, &()).key = Some(key.into());
                slot
            }
        }
    }

    /// Notes that one more view holds state for `slot`.
    pub(crate) fn add_view(&mut self, slot: EntitySlot) {
        *self.slots.derived_mut(slot) += 1;
    }

    /// Notes that a view no longer holds state for `slot`.
    pub(crate) fn remove_view(&mut self, slot: EntitySlot) {
        *self.slots.derived_mut(slot) -= 1;
        self.release_if_unused(slot);
    }

    /// Frees `slot` where no view holds state for it.
    pub(crate) fn release_if_unused(&mut self, slot: EntitySlot) {
        let entity = &self.slots[slot];
        if entity.view_count > 0 {
            return;
        }
        let hash = hash_entity_key(&self.hash_key, entity.key());
        if let Ok(entry) = self.slots_by_key.find_entry(hash, |stored| *stored == slot) {
            entry.remove();
            self.slots.expire(slot, &()).key = None;
            self.free_slots.push(Reverse(slot));
        }
    }

    /// Loads the keys of a block of a snapshot.
    pub(crate) fn load_keys(&mut self, records: SlotRecords<'_>) -> Result<(), DamagedSnapshot> {
        let loaded_slots = &mut self.loaded_slots;
        self.slots.load(&(), records, |slot, _| {
            loaded_slots.grow_and_insert(slot.index());
            Ok(())
        })
    }

    /// Notes that a view holds state for `slot` of the snapshot that is being restored.
    pub(crate) fn add_loaded_view(&mut self, slot: EntitySlot) {
        self.slots.grow_to(slot);
        self.add_view(slot);
    }

    /// Ends a restore, after all views: the slots that no view has named are free.
    pub(crate) fn finish_restore(&mut self, slot_count: u32, permit: &RestorePermit) -> Result<(), DamagedSnapshot> {
        if let Some(last) = slot_count.checked_sub(1) {
            self.slots.grow_to(EntitySlot(last));
        }
        let (mut used, mut free) = (Vec::new(), Vec::new());
        for (slot, entity) in self.slots.iter_restored(permit) {
            if entity.view_count > 0 {
                used.push(slot);
            } else {
                entity.key = None;
                free.push(Reverse(slot));
            }
        }
        let (slots, hash_key) = (&self.slots, &self.hash_key);
        self.slots_by_key.reserve(used.len(), |_| 0);
        for slot in used {
            if !self.loaded_slots.contains(slot.index()) {
                return Err(DamagedSnapshot("state without an entity key"));
            }
            let key = slots[slot].key();
            let hash = hash_entity_key(hash_key, key);
            if self.slots_by_key.find(hash, |stored| *slots[*stored].key() == *key).is_some() {
                return Err(DamagedSnapshot("an entity key that stands twice"));
            }
            self.slots_by_key.insert_unique(hash, slot, |stored| hash_entity_key(hash_key, slots[*stored].key()));
        }
        self.free_slots = free.into();
        self.loaded_slots = FixedBitSet::new();
        Ok(())
    }
}

fn hash_entity_key(hash_key: &HashKey, key: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(key.as_bytes());
    hasher.finish()
}

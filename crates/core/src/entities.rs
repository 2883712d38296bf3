//! The entities a shard has state for: from key to slot and back.
//!
//! Owns: slots (small numbers that views index their state by), their keys, and when a slot is free again.
//! Invariants: (1) a slot is in use exactly while some view holds state for it; (2) the lowest free slot is handed out
//! first, so which one depends on the events alone, also after a restore; everything iterates over slots, never over the
//! hash table, so no hash order can reach a result; (3) the hash is keyed with a key the caller passes in, so ids built to collide do not
//! (fault row 22).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::snapshot::DamagedSnapshot;
use crate::snapshot::restore::read_slot_records;
use crate::snapshot::saver::SnapshotWriter;
use crate::snapshot::wire::{self, SnapshotReader};

/// Where an entity's state lies in every view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EntitySlot(pub(crate) u32);

impl EntitySlot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Default)]
struct EntityEntry {
    key: Box<str>,
    /// Number of views that hold state for it; 0 while the slot is free.
    view_count: u32,
}

/// The key under which entity keys are hashed: any 128 bits, best drawn at random once per process. It never changes a
/// result, only where keys lie in memory.
pub type HashKey = [u8; 16];

#[derive(Debug)]
pub(crate) struct EntityTable {
    slots_by_key: HashTable<EntitySlot>,
    entities: Vec<EntityEntry>,
    free_slots: BinaryHeap<Reverse<EntitySlot>>,
    hash_key: HashKey,
    pub(crate) snapshot_writer: SnapshotWriter,
    /// While restoring: the slots whose key is known.
    loaded_slots: FixedBitSet,
}

impl EntityTable {
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self {
            slots_by_key: HashTable::new(),
            entities: Vec::new(),
            free_slots: BinaryHeap::new(),
            hash_key,
            snapshot_writer: SnapshotWriter::default(),
            loaded_slots: FixedBitSet::new(),
        }
    }

    /// Number of entities with state.
    pub(crate) fn len(&self) -> usize {
        self.slots_by_key.len()
    }

    pub(crate) fn key(&self, slot: EntitySlot) -> &str {
        &self.entities[slot.index()].key
    }

    /// The slot of `key`, given one if it has none yet. Whoever asked must follow with [`Self::release_if_unused`]
    /// unless a view took the slot up.
    pub(crate) fn find_or_assign_slot(&mut self, key: &str) -> EntitySlot {
        let (entities, hash_key) = (&mut self.entities, &self.hash_key);
        let hash = hash_entity_key(hash_key, key);
        let entry = self.slots_by_key.entry(
            hash,
            |slot| *entities[slot.index()].key == *key,
            |slot| hash_entity_key(hash_key, &entities[slot.index()].key),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => *entry.get(),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                #[allow(clippy::cast_possible_truncation)] // 2³² entities do not fit in memory
                let slot = self.free_slots.pop().map_or(EntitySlot(entities.len() as u32), |Reverse(slot)| slot);
                entry.insert(slot);
                if slot.index() == entities.len() {
                    entities.push(EntityEntry::default());
                }
                // A slot that was in use at the cut was saved when it was freed.
                self.snapshot_writer.mark_changed(slot);
                entities[slot.index()].key = key.into();
                slot
            }
        }
    }

    /// A view now holds state for `slot`.
    pub(crate) fn add_view(&mut self, slot: EntitySlot) {
        self.entities[slot.index()].view_count += 1;
    }

    /// A view no longer holds state for `slot`.
    pub(crate) fn remove_view(&mut self, slot: EntitySlot) {
        self.entities[slot.index()].view_count -= 1;
        self.release_if_unused(slot);
    }

    /// Frees `slot` where no view holds state for it.
    pub(crate) fn release_if_unused(&mut self, slot: EntitySlot) {
        let entity = &mut self.entities[slot.index()];
        if entity.view_count > 0 {
            return;
        }
        let hash = hash_entity_key(&self.hash_key, &entity.key);
        if let Ok(entry) = self.slots_by_key.find_entry(hash, |held| *held == slot) {
            entry.remove();
            let key = std::mem::take(&mut entity.key);
            if self.snapshot_writer.take_pending(slot) {
                self.snapshot_writer.write_record(slot, |out| wire::write_bytes(out, key.as_bytes()));
            }
            self.free_slots.push(Reverse(slot));
        }
    }

    /// Number of slots, used or free.
    pub(crate) fn slot_count(&self) -> usize {
        self.entities.len()
    }

    /// Saves the next key of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next_key(&mut self) -> Option<usize> {
        let slot = self.snapshot_writer.next_pending_slot()?;
        let entity = self.entities.get(slot.index()).filter(|entity| entity.view_count > 0);
        Some(entity.map_or(0, |entity| {
            self.snapshot_writer.write_record(slot, |out| wire::write_bytes(out, entity.key.as_bytes()))
        }))
    }

    /// Takes over the keys of a block of a snapshot of `slots` slots.
    pub(crate) fn load_keys(&mut self, slots: u32, reader: SnapshotReader<'_>) -> Result<(), DamagedSnapshot> {
        read_slot_records(slots, reader, |slot, reader| {
            if slot >= self.entities.len() {
                self.entities.resize_with(slot + 1, EntityEntry::default);
            }
            self.entities[slot].key = reader.read_text()?.into();
            self.loaded_slots.grow_and_insert(slot);
            Ok(())
        })
    }

    /// A view holds state for `slot` of the snapshot that is being restored.
    pub(crate) fn add_loaded_view(&mut self, slot: usize) {
        if slot >= self.entities.len() {
            self.entities.resize_with(slot + 1, EntityEntry::default);
        }
        self.entities[slot].view_count += 1;
    }

    /// All views have said what they hold: the slots they do not mention are free.
    pub(crate) fn finish_restore(&mut self, slots: u32) -> Result<(), DamagedSnapshot> {
        self.entities.resize_with(slots as usize, EntityEntry::default);
        let (entities, hash_key, loaded) = (&mut self.entities, &self.hash_key, &self.loaded_slots);
        let used = entities.iter().filter(|entity| entity.view_count > 0).count();
        self.slots_by_key.reserve(used, |_| 0);
        let mut free = Vec::with_capacity(entities.len() - used);
        for slot in (0..slots).map(EntitySlot) {
            if entities[slot.index()].view_count == 0 {
                entities[slot.index()].key = Box::default();
                free.push(Reverse(slot));
                continue;
            }
            if !loaded.contains(slot.index()) {
                return Err(DamagedSnapshot("state without an entity key"));
            }
            let key = &entities[slot.index()].key;
            let entry = self.slots_by_key.entry(
                hash_entity_key(hash_key, key),
                |held| entities[held.index()].key == *key,
                |held| hash_entity_key(hash_key, &entities[held.index()].key),
            );
            match entry {
                hashbrown::hash_table::Entry::Occupied(_) => {
                    return Err(DamagedSnapshot("an entity key that stands twice"));
                }
                hashbrown::hash_table::Entry::Vacant(entry) => drop(entry.insert(slot)),
            }
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

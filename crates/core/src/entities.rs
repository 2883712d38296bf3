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

use crate::snapshot::Damaged;
use crate::snapshot::restore::records;
use crate::snapshot::saver::Saver;
use crate::snapshot::wire::{self, Reader};

/// Where an entity's state lies in every view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Default)]
struct Entity {
    key: Box<str>,
    /// Number of views that hold state for it; 0 while the slot is free.
    views: u32,
}

/// The key under which entity keys are hashed: any 128 bits, best drawn at random once per process. It never changes a
/// result, only where keys lie in memory.
pub type HashKey = [u8; 16];

#[derive(Debug)]
pub(crate) struct Entities {
    table: HashTable<Slot>,
    entities: Vec<Entity>,
    free: BinaryHeap<Reverse<Slot>>,
    hash_key: HashKey,
    pub(crate) saver: Saver,
    /// While restoring: the slots whose key is known.
    loaded: FixedBitSet,
}

impl Entities {
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self {
            table: HashTable::new(),
            entities: Vec::new(),
            free: BinaryHeap::new(),
            hash_key,
            saver: Saver::default(),
            loaded: FixedBitSet::new(),
        }
    }

    /// Number of entities with state.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn key(&self, slot: Slot) -> &str {
        &self.entities[slot.index()].key
    }

    /// The slot of `key`, given one if it has none yet. Whoever asked must follow with [`Self::release_if_unused`]
    /// unless a view took the slot up.
    pub(crate) fn slot_of(&mut self, key: &str) -> Slot {
        let (entities, hash_key) = (&mut self.entities, &self.hash_key);
        let hash = hash(hash_key, key);
        let entry = self.table.entry(
            hash,
            |slot| *entities[slot.index()].key == *key,
            |slot| self::hash(hash_key, &entities[slot.index()].key),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => *entry.get(),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                #[allow(clippy::cast_possible_truncation)] // 2³² entities do not fit in memory
                let slot = self.free.pop().map_or(Slot(entities.len() as u32), |Reverse(slot)| slot);
                entry.insert(slot);
                if slot.index() == entities.len() {
                    entities.push(Entity::default());
                }
                // A slot that was in use at the cut was saved when it was freed.
                self.saver.touch(slot);
                entities[slot.index()].key = key.into();
                slot
            }
        }
    }

    /// A view now holds state for `slot`.
    pub(crate) fn retain(&mut self, slot: Slot) {
        self.entities[slot.index()].views += 1;
    }

    /// A view no longer holds state for `slot`.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.entities[slot.index()].views -= 1;
        self.release_if_unused(slot);
    }

    /// Frees `slot` where no view holds state for it.
    pub(crate) fn release_if_unused(&mut self, slot: Slot) {
        let entity = &mut self.entities[slot.index()];
        if entity.views > 0 {
            return;
        }
        let hash = hash(&self.hash_key, &entity.key);
        if let Ok(entry) = self.table.find_entry(hash, |held| *held == slot) {
            entry.remove();
            let key = std::mem::take(&mut entity.key);
            if self.saver.remove_from(slot) {
                self.saver.record(slot, |out| wire::put_bytes(out, key.as_bytes()));
            }
            self.free.push(Reverse(slot));
        }
    }

    /// Number of slots, used or free.
    pub(crate) fn slots(&self) -> usize {
        self.entities.len()
    }

    /// Saves the next key of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next(&mut self) -> Option<usize> {
        let slot = self.saver.next()?;
        let entity = self.entities.get(slot.index()).filter(|entity| entity.views > 0);
        Some(entity.map_or(0, |entity| self.saver.record(slot, |out| wire::put_bytes(out, entity.key.as_bytes()))))
    }

    /// Takes over the keys of a block of a snapshot of `slots` slots.
    pub(crate) fn load(&mut self, slots: u32, reader: Reader<'_>) -> Result<(), Damaged> {
        records(slots, reader, |slot, reader| {
            if slot >= self.entities.len() {
                self.entities.resize_with(slot + 1, Entity::default);
            }
            self.entities[slot].key = reader.text()?.into();
            self.loaded.grow_and_insert(slot);
            Ok(())
        })
    }

    /// A view holds state for `slot` of the snapshot that is being restored.
    pub(crate) fn retain_loaded(&mut self, slot: usize) {
        if slot >= self.entities.len() {
            self.entities.resize_with(slot + 1, Entity::default);
        }
        self.entities[slot].views += 1;
    }

    /// All views have said what they hold: the slots they do not mention are free.
    pub(crate) fn resume(&mut self, slots: u32) -> Result<(), Damaged> {
        self.entities.resize_with(slots as usize, Entity::default);
        let (entities, hash_key, loaded) = (&mut self.entities, &self.hash_key, &self.loaded);
        let used = entities.iter().filter(|entity| entity.views > 0).count();
        self.table.reserve(used, |_| 0);
        let mut free = Vec::with_capacity(entities.len() - used);
        for slot in (0..slots).map(Slot) {
            if entities[slot.index()].views == 0 {
                entities[slot.index()].key = Box::default();
                free.push(Reverse(slot));
                continue;
            }
            if !loaded.contains(slot.index()) {
                return Err(Damaged("state without an entity key"));
            }
            let key = &entities[slot.index()].key;
            let entry = self.table.entry(
                hash(hash_key, key),
                |held| entities[held.index()].key == *key,
                |held| hash(hash_key, &entities[held.index()].key),
            );
            match entry {
                hashbrown::hash_table::Entry::Occupied(_) => return Err(Damaged("an entity key that stands twice")),
                hashbrown::hash_table::Entry::Vacant(entry) => drop(entry.insert(slot)),
            }
        }
        self.free = free.into();
        self.loaded = FixedBitSet::new();
        Ok(())
    }
}

fn hash(hash_key: &HashKey, key: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(key.as_bytes());
    hasher.finish()
}

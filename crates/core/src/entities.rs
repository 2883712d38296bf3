//! The entities a shard has state for: from key to slot and back.
//!
//! Owns: slots (small numbers that views index their state by), their keys, and when a slot is free again.
//! Invariants: (1) a slot is in use exactly while some view holds state for it; (2) slots are handed out and reused in
//! an order that depends on the events alone, and everything iterates over slots, never over the hash table, so no hash
//! order can reach a result; (3) the hash is keyed with a key the caller passes in, so ids built to collide do not
//! (fault row 22).

use std::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

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
    free: Vec<Slot>,
    hash_key: HashKey,
}

impl Entities {
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { table: HashTable::new(), entities: Vec::new(), free: Vec::new(), hash_key }
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
                let slot = self.free.pop().unwrap_or(Slot(entities.len() as u32));
                entry.insert(slot);
                if slot.index() == entities.len() {
                    entities.push(Entity::default());
                }
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
            entity.key = Box::default();
            self.free.push(slot);
        }
    }
}

fn hash(hash_key: &HashKey, key: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(key.as_bytes());
    hasher.finish()
}

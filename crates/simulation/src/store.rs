//! The objects of the checkpoint store, in memory.
//!
//! Owns: the objects, and requests that take effect after their caller has given up. Does not own: the requests of
//! instances and their faults (`store_client`), and what the objects mean for the promises (`oracle`).

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::{ListedObject, StoreFault};

/// A request that takes effect at a later time, whatever has become of its caller.
#[derive(Debug)]
struct DelayedWrite {
    due_at: Duration,
    write: StoreWrite,
}

/// Whether the caller of a write still waits for its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WriteTiming {
    InTime,
    /// The answer will be lost.
    Unanswered,
    Late,
}

/// A request that changes the store.
#[derive(Clone, Debug)]
pub(crate) enum StoreWrite {
    Create { object_name: String, bytes: Vec<u8> },
    Delete { object_names: Vec<String> },
}

/// The objects that all instances share.
#[derive(Debug, Default)]
pub(crate) struct SimulatedObjects {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    delayed_writes: Mutex<Vec<DelayedWrite>>,
    /// The content of the damaged objects before the damage.
    undamaged_contents: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl SimulatedObjects {
    /// Applies a write. Fails if an object to create exists.
    pub(crate) fn apply_write(&self, write: &StoreWrite) -> Result<(), StoreFault> {
        let mut objects = self.objects.lock();
        match write {
            StoreWrite::Create { object_name, .. } if objects.contains_key(object_name) => Err(StoreFault::Exists),
            StoreWrite::Create { object_name, bytes } => {
                objects.insert(object_name.clone(), bytes.clone());
                Ok(())
            }
            StoreWrite::Delete { object_names } => {
                objects.retain(|name, _| !object_names.contains(name));
                Ok(())
            }
        }
    }

    /// Deletes all objects outside `folder`, and forgets the writes that take effect later.
    pub(crate) fn keep_only_folder(&self, folder: &str) {
        self.objects.lock().retain(|name, _| name.starts_with(folder));
        self.delayed_writes.lock().clear();
    }

    /// Lets `write` take effect at `due_at`.
    pub(crate) fn delay_write(&self, due_at: Duration, write: StoreWrite) {
        self.delayed_writes.lock().push(DelayedWrite { due_at, write });
    }

    /// Returns the time of the next delayed write.
    pub(crate) fn next_delayed_write_at(&self) -> Option<Duration> {
        self.delayed_writes.lock().iter().map(|delayed| delayed.due_at).min()
    }

    /// Removes and returns the delayed writes that are due at `now`.
    pub(crate) fn take_due_writes(&self, now: Duration) -> Vec<StoreWrite> {
        let mut delayed_writes = self.delayed_writes.lock();
        let (due, later) = std::mem::take(&mut *delayed_writes).into_iter().partition(|delayed| delayed.due_at <= now);
        *delayed_writes = later;
        let due: Vec<DelayedWrite> = due;
        due.into_iter().map(|delayed| delayed.write).collect()
    }

    /// Changes one bit of the object `name`.
    pub(crate) fn damage_object(&self, name: &str, bit: u64) {
        if let Some(bytes) = self.objects.lock().get_mut(name)
            && !bytes.is_empty()
        {
            self.undamaged_contents.lock().entry(name.to_owned()).or_insert_with(|| bytes.clone());
            let index = usize::try_from(bit / 8).unwrap_or(0) % bytes.len();
            bytes[index] ^= 1 << (bit % 8);
        }
    }

    /// Puts back the content of all damaged objects that still exist. Returns their names.
    pub(crate) fn repair_damaged_objects(&self) -> Vec<String> {
        let contents = std::mem::take(&mut *self.undamaged_contents.lock());
        let mut objects = self.objects.lock();
        let mut repaired = Vec::new();
        for (name, content) in contents {
            if let Some(bytes) = objects.get_mut(&name) {
                *bytes = content;
                repaired.push(name);
            }
        }
        repaired
    }

    pub(crate) fn read_object(&self, name: &str) -> Option<Vec<u8>> {
        self.objects.lock().get(name).cloned()
    }

    pub(crate) fn list_names(&self, folder: &str) -> Vec<ListedObject> {
        let objects = self.objects.lock();
        let listed = objects.range(folder.to_owned()..).take_while(|(name, _)| name.starts_with(folder));
        listed
            .map(|(name, bytes)| ListedObject { object_name: name.clone(), object_byte_count: bytes.len() as u64 })
            .collect()
    }
}

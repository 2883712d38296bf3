//! A checkpoint store in memory, whose calls a test can delay, refuse and count.

use std::collections::BTreeMap;
use std::fmt::Debug;

use parking_lot::Mutex;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

/// The objects of a [`MemoryStore`], by name.
pub(crate) type MemoryObjects = Mutex<BTreeMap<String, Vec<u8>>>;

/// A kind of call of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum StoreCall {
    Create,
    Read,
    List,
    Delete,
}

/// What happens at each call of a [`MemoryStore`].
pub(crate) trait StoreCallHandler: Send + Sync + Debug {
    /// Handles the `call` for the object or the folder `name` before it takes effect. The call fails with the fault that
    /// this function returns.
    fn handle_call(&self, _objects: &MemoryObjects, _call: StoreCall, _name: &str) -> Result<(), StoreFault> {
        Ok(())
    }

    /// Takes note of a creation that has failed.
    fn note_failed_creation(&self, _name: &str, _bytes: Vec<u8>) {}

    /// Takes note of a call that lists or deletes objects and has taken effect.
    fn note_end_of_call(&self, _objects: &MemoryObjects, _call: StoreCall) {}
}

#[derive(Debug, Default)]
pub(crate) struct MemoryStore<Handler> {
    pub(crate) objects: MemoryObjects,
    pub(crate) handler: Handler,
}

impl<Handler> MemoryStore<Handler> {
    /// Returns the names of the objects that begin with `folder`.
    pub(crate) fn list_names(&self, folder: &str) -> Vec<String> {
        self.objects.lock().keys().filter(|name| name.starts_with(folder)).cloned().collect()
    }
}

impl<Handler: StoreCallHandler> CheckpointStore for MemoryStore<Handler> {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        if let Err(fault) = self.handler.handle_call(&self.objects, StoreCall::Create, name) {
            self.handler.note_failed_creation(name, bytes);
            return Err(fault);
        }
        let mut objects = self.objects.lock();
        if objects.contains_key(name) {
            return Err(StoreFault::Exists);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.handler.handle_call(&self.objects, StoreCall::Read, name)?;
        Ok(self.objects.lock().get(name).cloned())
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let prefix = format!("{folder}/");
        self.handler.handle_call(&self.objects, StoreCall::List, &prefix)?;
        let describe = |(name, bytes): (&String, &Vec<u8>)| ListedObject {
            object_name: name.clone(),
            object_byte_count: bytes.len() as u64,
        };
        let is_in_folder = |name: &str| folder.is_empty() || name.starts_with(&prefix);
        let listed = self.objects.lock().iter().filter(|(name, _)| is_in_folder(name)).map(describe).collect();
        self.handler.note_end_of_call(&self.objects, StoreCall::List);
        Ok(listed)
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        names.iter().try_for_each(|name| self.handler.handle_call(&self.objects, StoreCall::Delete, name))?;
        names.iter().for_each(|name| drop(self.objects.lock().remove(name)));
        self.handler.note_end_of_call(&self.objects, StoreCall::Delete);
        Ok(())
    }

    fn place(&self) -> &str {
        "memory"
    }
}

//! A store that is not a directory: a cloud's bucket, or this process's memory.
//!
//! After a crash: created objects exist.

use std::fmt;
use std::sync::Arc;

use object_store::{Error, ObjectStore};
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use super::io::StoreRuntime;
use super::{fault, name, operations};

pub(super) struct RemoteStore {
    io: Arc<StoreRuntime>,
    store: Arc<dyn ObjectStore>,
    place: String,
}

impl RemoteStore {
    pub(super) fn new(io: Arc<StoreRuntime>, store: Arc<dyn ObjectStore>, place: String) -> Self {
        Self { io, store, place }
    }

    /// Runs `call`, which messages describe as `action` ("write NAME").
    fn run_call<T>(&self, action: &str, call: impl Future<Output = Result<T, Error>>) -> Result<T, StoreFault> {
        let failure = || format!("could not {action} in {}", self.place);
        self.io.run_call(failure, async { call.await.map_err(|error| fault::classify_cloud_error(&failure(), &error)) })
    }
}

/// Shows the location only: the `object_store` crate's own output includes settings.
impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.place)
    }
}

impl CheckpointStore for RemoteStore {
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let path = name::object_path(name)?;
        self.run_call(&format!("write {name}"), operations::create(&*self.store, &path, bytes))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let path = name::object_path(name)?;
        self.run_call(&format!("read {name}"), async {
            match operations::read(&*self.store, &path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if fault::is_absent_object(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let path = name::folder_path(folder)?;
        self.run_call(&format!("list {folder}/"), operations::list(&*self.store, path.as_ref()))
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreFault> {
        let paths = names.iter().map(|name| name::object_path(name)).collect::<Result<_, StoreFault>>()?;
        let what = format!("delete {} objects", names.len());
        self.run_call(&what, operations::delete(&*self.store, paths, fault::is_absent_object))
    }

    fn place(&self) -> &str {
        &self.place
    }
}

//! A store that is not a directory: a bucket of a cloud, or the memory of this process.
//!
//! After a crash of this process, a bucket contains every object whose creation the cloud has acknowledged. The objects
//! in memory are lost.

use std::fmt;
use std::sync::Arc;

use object_store::{Error, ObjectStore};
use windrow_core::text::format_count_with_noun;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use super::fault::StoreCall;
use super::runtime::StoreRuntime;
use super::{fault, object_name, operations};

pub(super) struct CloudOrMemoryStore {
    runtime: Arc<StoreRuntime>,
    store: Arc<dyn ObjectStore>,
    place: String,
}

impl CloudOrMemoryStore {
    pub(super) fn new(runtime: Arc<StoreRuntime>, store: Arc<dyn ObjectStore>, place: String) -> Self {
        Self { runtime, store, place }
    }

    /// Waits for the result of `work`, but not longer than [`super::runtime::CALL_TIMEOUT`]. Error messages contain
    /// `action` as the description of `work`, for example "write NAME".
    fn run_call_with_timeout<T>(
        &self,
        action: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreFault> {
        let call = StoreCall { action: action.to_owned(), place: self.place.clone() };
        self.runtime.block_on_with_timeout(&call, async {
            work.await.map_err(|error| fault::classify_cloud_error(&call, &error))
        })
    }
}

/// Writes only the place of the store. The debug output of the `object_store` crate would include settings, which may
/// be secrets.
impl fmt::Debug for CloudOrMemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloudOrMemoryStore({})", self.place)
    }
}

impl CheckpointStore for CloudOrMemoryStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let path = object_name::object_path_from_name(name)?;
        self.run_call_with_timeout(&format!("write {name}"), operations::create_object(&*self.store, &path, bytes))
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let path = object_name::object_path_from_name(name)?;
        self.run_call_with_timeout(&format!("read {name}"), async {
            match operations::read_object(&*self.store, &path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if fault::is_missing_object_error(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn read_objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreFault> {
        let paths: Vec<_> =
            names.iter().map(|name| object_name::object_path_from_name(name)).collect::<Result<_, StoreFault>>()?;
        let what = format!("read {}", format_count_with_noun(names.len() as u64, "object"));
        self.run_call_with_timeout(&what, operations::read_objects(&*self.store, paths, fault::is_missing_object_error))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let path = object_name::folder_path_from_name(folder)?;
        self.run_call_with_timeout(&format!("list {folder}/"), operations::list_objects(&*self.store, path.as_ref()))
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let paths =
            names.iter().map(|name| object_name::object_path_from_name(name)).collect::<Result<_, StoreFault>>()?;
        let what = format!("delete {}", format_count_with_noun(names.len() as u64, "object"));
        self.run_call_with_timeout(
            &what,
            operations::delete_objects(&*self.store, paths, fault::is_missing_object_error),
        )
    }

    fn place(&self) -> &str {
        &self.place
    }
}

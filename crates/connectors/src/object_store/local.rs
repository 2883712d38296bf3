//! A local directory as an object store. The directories inside the store's directory are called folders.
//!
//! Owns: creating the directory, syncing objects that another process created, and removing staged files of killed
//! processes. The `object_store` crate does none of these tasks.
//! Invariants: (1) Before `create_object` returns success or `Exists`, the object and all folders of the store above it
//! are synced. (2) The store creates nothing on disk before the first write. (3) If a file exists at the store's path
//! instead of a directory, every call fails. The store therefore does not seem to be empty.
//!
//! A delete is not synced: after a power loss a deleted object may exist again.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::local::LocalFileSystem;
use parking_lot::Mutex;
use windrow_core::text::format_count_with_noun;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use super::fault::{CallFailureCause, StoreCall};
use super::runtime::{StoreRuntime, run_on_blocking_thread};
use super::{fault, object_name, operations};

/// The age above which a staged file is deleted. No process still writes such a file, because a write ends within
/// [`super::runtime::CALL_TIMEOUT`] unless the disk hangs.
const STALE_STAGED_FILE_AGE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct LocalStore {
    runtime: Arc<StoreRuntime>,
    directory: Arc<StoreDirectory>,
    place: String,
}

impl LocalStore {
    /// Returns a store in the directory at the absolute path `root`, without creating the directory.
    pub(super) fn new(runtime: Arc<StoreRuntime>, root: PathBuf) -> Self {
        let place = format!("file:{}", root.display());
        let directory =
            StoreDirectory { root, opened_store: OnceLock::new(), folders_with_synced_entry: Mutex::default() };
        Self { runtime, directory: Arc::new(directory), place }
    }

    fn describe_call(&self, action: String) -> StoreCall {
        StoreCall { action, place: self.place.clone() }
    }
}

impl CheckpointStore for LocalStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let path = object_name::object_path_from_name(name)?;
        let call = self.describe_call(format!("write {name}"));
        self.runtime.block_on_disk_with_timeout(&call, async {
            let (directory, own_call, file) = (Arc::clone(&self.directory), call.clone(), path.clone());
            let store =
                run_on_blocking_thread(move || directory.create_folders_and_open_store(&own_call, &file)).await?;
            match operations::create_object(&store, &path, bytes).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    let (directory, own_call) = (Arc::clone(&self.directory), call.clone());
                    match fault::classify_local_store_error(&call, &error) {
                        StoreFault::Exists => {
                            // This call syncs the object, because the process that created the object may have been
                            // killed before it synced the object.
                            run_on_blocking_thread(move || directory.sync_object(&own_call, &path)).await?;
                            Err(StoreFault::Exists)
                        }
                        other => Err(other),
                    }
                }
            }
        })
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let path = object_name::object_path_from_name(name)?;
        let call = self.describe_call(format!("read {name}"));
        self.runtime.block_on_disk_with_timeout(&call, async {
            let (directory, own_call) = (Arc::clone(&self.directory), call.clone());
            let Some(store) =
                run_on_blocking_thread(move || directory.open_store_if_directory_exists(&own_call)).await?
            else {
                return Ok(None);
            };
            match operations::read_object(&store, &path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if fault::is_missing_object_error(&error) => Ok(None),
                Err(error) => Err(fault::classify_local_store_error(&call, &error)),
            }
        })
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let path = object_name::folder_path_from_name(folder)?;
        let call = self.describe_call(format!("list {folder}/"));
        self.runtime.block_on_disk_with_timeout(&call, async {
            let (directory, own_call) = (Arc::clone(&self.directory), call.clone());
            let Some(store) =
                run_on_blocking_thread(move || directory.open_store_if_directory_exists(&own_call)).await?
            else {
                return Ok(Vec::new());
            };
            operations::list_objects(&store, path.as_ref())
                .await
                .map_err(|error| fault::classify_local_store_error(&call, &error))
        })
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let paths = names
            .iter()
            .map(|name| object_name::object_path_from_name(name))
            .collect::<Result<BTreeSet<_>, StoreFault>>()?;
        let call = self.describe_call(format!("delete {}", format_count_with_noun(names.len() as u64, "object")));
        self.runtime.block_on_disk_with_timeout(&call, async {
            let (directory, own_call) = (Arc::clone(&self.directory), call.clone());
            let Some(store) =
                run_on_blocking_thread(move || directory.open_store_if_directory_exists(&own_call)).await?
            else {
                return Ok(());
            };
            let folders: BTreeSet<PathBuf> = paths
                .iter()
                .filter_map(|path| self.directory.object_file_path(path).parent().map(Path::to_owned))
                .collect();
            let deleted = operations::delete_objects(&store, paths, fault::is_missing_object_error).await;
            run_on_blocking_thread(move || {
                folders.iter().for_each(|folder| remove_stale_staged_files(folder));
                Ok(())
            })
            .await?;
            deleted.map_err(|error| fault::classify_local_store_error(&call, &error))
        })
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// The directory of a local store. All methods block on the disk.
#[derive(Debug)]
struct StoreDirectory {
    root: PathBuf,
    opened_store: OnceLock<LocalFileSystem>,
    /// The folders that exist and whose parent folders this process has synced. They need no further sync.
    folders_with_synced_entry: Mutex<HashSet<PathBuf>>,
}

impl StoreDirectory {
    fn object_file_path(&self, path: &object_store::path::Path) -> PathBuf {
        self.root.join(path.as_ref())
    }

    /// Returns the opened store; `None` if the directory of the store does not exist.
    fn open_store_if_directory_exists(&self, call: &StoreCall) -> Result<Option<LocalFileSystem>, StoreFault> {
        // Each call checks the directory again, because another process may have removed the directory or put a file in
        // its place after the last call.
        match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(fault::store_call_fault(call, CallFailureCause::PlaceIsFile));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault::classify_io_error(call, &error)),
        }
        if let Some(store) = self.opened_store.get() {
            return Ok(Some(store.clone()));
        }
        let store = LocalFileSystem::new_with_prefix(&self.root)
            .map_err(|error| fault::classify_local_store_error(call, &error))?
            .with_fsync(true);
        Ok(Some(self.opened_store.get_or_init(|| store).clone()))
    }

    /// Ensures that all folders above the object at `path` exist and are synced, and then opens the store.
    ///
    /// The `object_store` crate would sync only the folders that it creates itself in the same call. It would not sync
    /// a folder that another thread or a killed process has just created.
    fn create_folders_and_open_store(
        &self,
        call: &StoreCall,
        path: &object_store::path::Path,
    ) -> Result<LocalFileSystem, StoreFault> {
        let file = self.object_file_path(path);
        let mut missing = Vec::new();
        for folder in file.ancestors().skip(1) {
            let inside = folder.starts_with(&self.root);
            if self.folders_with_synced_entry.lock().contains(folder) || (!inside && folder.exists()) {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            create_and_sync_folder(folder).map_err(|error| fault::classify_io_error(call, &error))?;
            self.folders_with_synced_entry.lock().insert(folder.to_owned());
        }
        match self.open_store_if_directory_exists(call)? {
            Some(store) => Ok(store),
            None => {
                // Another process has removed the store's directory and thus all its folders. The set of folders is
                // cleared, so that the next call creates all folders again.
                self.folders_with_synced_entry.lock().clear();
                Err(fault::store_call_fault(call, CallFailureCause::DirectoryRemoved))
            }
        }
    }

    fn sync_object(&self, call: &StoreCall, path: &object_store::path::Path) -> Result<(), StoreFault> {
        let file = self.object_file_path(path);
        let sync = || {
            File::open(&file)?.sync_all()?;
            file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        sync().map_err(|error| fault::classify_io_error(call, &error))
    }
}

/// Creates `folder` if it does not exist. Syncs the parent folder, so that `folder` still exists after a crash of the
/// machine.
fn create_and_sync_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        // Not all file systems report `AlreadyExists` for an existing folder.
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(error),
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    match File::open(above) {
        Ok(above) => above.sync_all(),
        // The user of this process may lack the permission to open a parent folder that Windrow has not created. Such a
        // folder cannot be synced, and the error is ignored.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes stale staged files (`NAME#N`) of killed processes from `folder`. Ignores errors, because a remaining file
/// only takes space until the next call removes it.
fn remove_stale_staged_files(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_staged = entry
            .file_name()
            .to_str()
            .and_then(|name| name.rsplit_once('#'))
            .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        let is_old = || {
            let age = entry.metadata().and_then(|found| found.modified()).map(|modified| modified.elapsed());
            matches!(age, Ok(Ok(age)) if age > STALE_STAGED_FILE_AGE)
        };
        if is_staged && is_old() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

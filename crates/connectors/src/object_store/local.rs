//! A local directory as an object store.
//!
//! Owns: creating the directory, and what the `object_store` crate leaves open: staged files of killed processes, and the
//! durability of an object that another process has begun to write.
//! Invariants: (1) when a create returns or finds that the object exists, the object, and every folder on the way to it
//! from the store's directory, has been synced; (2) nothing is created before the first write; (3) a path that is not a
//! directory is refused, not read as an empty store.
//!
//! Deleting is not synced: after a power loss a deleted object may exist again.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::local::LocalFileSystem;
use parking_lot::Mutex;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use super::io::{StoreRuntime, run_blocking};
use super::{fault, name, operations};

/// No process still writes a staged file of this age: writing ends within [`super::io::CALL_TIMEOUT`], or the disk hangs.
const STALE_STAGED_FILE_AGE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct LocalStore {
    io: Arc<StoreRuntime>,
    directory: Arc<StoreDirectory>,
    place: String,
}

impl LocalStore {
    /// Uses the directory at the absolute path `root`.
    pub(super) fn new(io: Arc<StoreRuntime>, root: PathBuf) -> Self {
        let place = format!("file:{}", root.display());
        let directory = StoreDirectory { root, opened: OnceLock::new(), synced_folders: Mutex::default() };
        Self { io, directory: Arc::new(directory), place }
    }

    fn describe_failure(&self, action: &str) -> String {
        format!("could not {action} in {}", self.place)
    }
}

impl CheckpointStore for LocalStore {
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let path = name::object_path(name)?;
        let failure = || self.describe_failure(&format!("write {name}"));
        self.io.run_call(failure, async {
            let (directory, failure_text, file) = (Arc::clone(&self.directory), failure(), path.clone());
            let store = run_blocking(move || directory.open_for_writing(&failure_text, &file)).await?;
            match operations::create(&store, &path, bytes).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    let (directory, failure_text) = (Arc::clone(&self.directory), failure());
                    match fault::classify_local_error(&failure_text, &error) {
                        StoreFault::Exists => {
                            // The process that created it may have been killed before it was synced.
                            run_blocking(move || directory.sync_object(&failure_text, &path)).await?;
                            Err(StoreFault::Exists)
                        }
                        other => Err(other),
                    }
                }
            }
        })
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let path = name::object_path(name)?;
        let failure = || self.describe_failure(&format!("read {name}"));
        self.io.run_call(failure, async {
            let (directory, failure_text) = (Arc::clone(&self.directory), failure());
            let Some(store) = run_blocking(move || directory.open_existing(&failure_text)).await? else {
                return Ok(None);
            };
            match operations::read(&store, &path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if fault::is_absent_object(&error) => Ok(None),
                Err(error) => Err(fault::classify_local_error(&failure(), &error)),
            }
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let path = name::folder_path(folder)?;
        let failure = || self.describe_failure(&format!("list {folder}/"));
        self.io.run_call(failure, async {
            let (directory, failure_text) = (Arc::clone(&self.directory), failure());
            let Some(store) = run_blocking(move || directory.open_existing(&failure_text)).await? else {
                return Ok(Vec::new());
            };
            operations::list(&store, path.as_ref())
                .await
                .map_err(|error| fault::classify_local_error(&failure(), &error))
        })
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreFault> {
        let paths = names.iter().map(|name| name::object_path(name)).collect::<Result<BTreeSet<_>, StoreFault>>()?;
        let failure = || self.describe_failure(&format!("delete {} objects", names.len()));
        self.io.run_call(failure, async {
            let (directory, failure_text) = (Arc::clone(&self.directory), failure());
            let Some(store) = run_blocking(move || directory.open_existing(&failure_text)).await? else {
                return Ok(());
            };
            let folders: BTreeSet<PathBuf> =
                paths.iter().filter_map(|path| self.directory.file_path(path).parent().map(Path::to_owned)).collect();
            let deleted = operations::delete(&store, paths, fault::is_absent_object).await;
            run_blocking(move || {
                folders.iter().for_each(|folder| remove_stale_staged_files(folder));
                Ok(())
            })
            .await?;
            deleted.map_err(|error| fault::classify_local_error(&failure(), &error))
        })
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// The directory itself. All methods block on the disk.
#[derive(Debug)]
struct StoreDirectory {
    root: PathBuf,
    opened: OnceLock<LocalFileSystem>,
    /// Folders, the root among them, whose entry in the folder above this process has synced.
    synced_folders: Mutex<HashSet<PathBuf>>,
}

impl StoreDirectory {
    fn file_path(&self, path: &object_store::path::Path) -> PathBuf {
        self.root.join(path.as_ref())
    }

    /// Opens the store; `None` if its directory does not exist.
    fn open_existing(&self, failure: &str) -> Result<Option<LocalFileSystem>, StoreFault> {
        // Checked each time: an unmounted or replaced directory must not look like an empty store.
        match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(StoreFault::Refused(format!(
                    "{failure}: that path is not a directory; choose another place"
                )));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault::classify_disk_error(failure, &error)),
        }
        if let Some(store) = self.opened.get() {
            return Ok(Some(store.clone()));
        }
        let store = LocalFileSystem::new_with_prefix(&self.root)
            .map_err(|error| fault::classify_local_error(failure, &error))?
            .with_fsync(true);
        Ok(Some(self.opened.get_or_init(|| store).clone()))
    }

    /// Opens the store, after creating and syncing its directory and the folder for `path`.
    ///
    /// The `object_store` crate syncs a folder only if the same call has created it. It would take a folder as durable
    /// that another thread, or a killed process, has just created.
    fn open_for_writing(&self, failure: &str, path: &object_store::path::Path) -> Result<LocalFileSystem, StoreFault> {
        let file = self.file_path(path);
        let mut missing = Vec::new();
        for folder in file.ancestors().skip(1) {
            let inside = folder.starts_with(&self.root);
            if self.synced_folders.lock().contains(folder) || (!inside && folder.exists()) {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            create_and_sync_folder(folder).map_err(|error| fault::classify_disk_error(failure, &error))?;
            self.synced_folders.lock().insert(folder.to_owned());
        }
        match self.open_existing(failure)? {
            Some(store) => Ok(store),
            None => {
                // Removed meanwhile: the next attempt creates everything again.
                self.synced_folders.lock().clear();
                Err(StoreFault::Failed(format!("{failure}: the directory was removed meanwhile")))
            }
        }
    }

    fn sync_object(&self, failure: &str, path: &object_store::path::Path) -> Result<(), StoreFault> {
        let file = self.file_path(path);
        let sync = || {
            File::open(&file)?.sync_all()?;
            file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        sync().map_err(|error| fault::classify_disk_error(failure, &error))
    }
}

/// Creates `folder`, and syncs its entry in the folder above.
fn create_and_sync_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        // Some file systems report an existing folder with another error.
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(error),
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    match File::open(above) {
        Ok(above) => above.sync_all(),
        // A folder above the store that may be traversed but not read: Windrow has not created it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes stale staged files (`NAME#N`) of killed processes from `folder`. Files that cannot be removed stay until the
/// next call: they take space and do no harm.
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

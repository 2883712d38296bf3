//! A local directory as an object store.
//!
//! Owns: the directory's making, and what `object_store`'s local store leaves to be done: staged files that a killed
//! process left, and the durability of what somebody else began to write.
//! Invariants: (1) when a create returns or finds that the object exists, the object, and every folder on the way to it
//! from the store's directory, has been synced; (2) nothing is created before the first write; (3) what is not a
//! directory is refused, not read as an empty store.
//!
//! Deleting is not synced: after a power loss a deleted object may be there again.

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

/// A staged file this old belongs to nobody: writing ends within [`super::io::CALL_TIMEOUT`], or the disk hangs.
const STALE_STAGED_FILE_AGE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct LocalStore {
    io: Arc<StoreRuntime>,
    directory: Arc<StoreDirectory>,
    place: String,
}

impl LocalStore {
    /// The directory at the absolute path `root`.
    pub(super) fn new(io: Arc<StoreRuntime>, root: PathBuf) -> Self {
        let place = format!("file:{}", root.display());
        let directory = StoreDirectory { root, opened: OnceLock::new(), synced_folders: Mutex::default() };
        Self { io, directory: Arc::new(directory), place }
    }

    fn describe_failure(&self, what: &str) -> String {
        format!("could not {what} in {}", self.place)
    }
}

impl CheckpointStore for LocalStore {
    fn create(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let path = name::object_path(name)?;
        let doing = || self.describe_failure(&format!("write {name}"));
        self.io.run_call(doing, async {
            let (directory, said, file) = (Arc::clone(&self.directory), doing(), path.clone());
            let store = run_blocking(move || directory.open_for_writing(&said, &file)).await?;
            match operations::create(&store, &path, bytes).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    let (directory, said) = (Arc::clone(&self.directory), doing());
                    match fault::classify_local_error(&said, &error) {
                        StoreFault::Exists => {
                            // Whoever created it may have been killed before it was synced.
                            run_blocking(move || directory.sync_object(&said, &path)).await?;
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
        let doing = || self.describe_failure(&format!("read {name}"));
        self.io.run_call(doing, async {
            let (directory, said) = (Arc::clone(&self.directory), doing());
            let Some(store) = run_blocking(move || directory.open_existing(&said)).await? else { return Ok(None) };
            match operations::read(&store, &path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if fault::is_absent_object(&error) => Ok(None),
                Err(error) => Err(fault::classify_local_error(&doing(), &error)),
            }
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let path = name::folder_path(folder)?;
        let doing = || self.describe_failure(&format!("list {folder}/"));
        self.io.run_call(doing, async {
            let (directory, said) = (Arc::clone(&self.directory), doing());
            let Some(store) = run_blocking(move || directory.open_existing(&said)).await? else {
                return Ok(Vec::new());
            };
            operations::list(&store, path.as_ref()).await.map_err(|error| fault::classify_local_error(&doing(), &error))
        })
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreFault> {
        let paths = names.iter().map(|name| name::object_path(name)).collect::<Result<BTreeSet<_>, StoreFault>>()?;
        let doing = || self.describe_failure(&format!("delete {} objects", names.len()));
        self.io.run_call(doing, async {
            let (directory, said) = (Arc::clone(&self.directory), doing());
            let Some(store) = run_blocking(move || directory.open_existing(&said)).await? else { return Ok(()) };
            let folders: BTreeSet<PathBuf> =
                paths.iter().filter_map(|path| self.directory.file_path(path).parent().map(Path::to_owned)).collect();
            let deleted = operations::delete(&store, paths, fault::is_absent_object).await;
            run_blocking(move || {
                folders.iter().for_each(|folder| remove_stale_staged_files(folder));
                Ok(())
            })
            .await?;
            deleted.map_err(|error| fault::classify_local_error(&doing(), &error))
        })
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// The directory itself; all its methods wait for the disk.
#[derive(Debug)]
struct StoreDirectory {
    root: PathBuf,
    opened: OnceLock<LocalFileSystem>,
    /// Folders, the root among them, whose own entry in the folder above has been synced by this process.
    synced_folders: Mutex<HashSet<PathBuf>>,
}

impl StoreDirectory {
    fn file_path(&self, path: &object_store::path::Path) -> PathBuf {
        self.root.join(path.as_ref())
    }

    /// The store, where its directory is there.
    fn open_existing(&self, doing: &str) -> Result<Option<LocalFileSystem>, StoreFault> {
        // Asked each time: an unmounted or replaced directory must not look like an empty store.
        match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(StoreFault::Refused(format!(
                    "{doing}: that path is not a directory; choose another place"
                )));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault::classify_disk_error(doing, &error)),
        }
        if let Some(store) = self.opened.get() {
            return Ok(Some(store.clone()));
        }
        let store = LocalFileSystem::new_with_prefix(&self.root)
            .map_err(|error| fault::classify_local_error(doing, &error))?
            .with_fsync(true);
        Ok(Some(self.opened.get_or_init(|| store).clone()))
    }

    /// The store, with its directory and the folder for `path` made and synced.
    ///
    /// `object_store` syncs a folder only when that very call made it: one that another thread, or a process that was
    /// killed, has just made would be taken as safe.
    fn open_for_writing(&self, doing: &str, path: &object_store::path::Path) -> Result<LocalFileSystem, StoreFault> {
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
            create_and_sync_folder(folder).map_err(|error| fault::classify_disk_error(doing, &error))?;
            self.synced_folders.lock().insert(folder.to_owned());
        }
        match self.open_existing(doing)? {
            Some(store) => Ok(store),
            None => {
                // Taken away since: the next attempt makes everything again.
                self.synced_folders.lock().clear();
                Err(StoreFault::Failed(format!("{doing}: the directory was taken away")))
            }
        }
    }

    fn sync_object(&self, doing: &str, path: &object_store::path::Path) -> Result<(), StoreFault> {
        let file = self.file_path(path);
        let sync = || {
            File::open(&file)?.sync_all()?;
            file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        sync().map_err(|error| fault::classify_disk_error(doing, &error))
    }
}

/// Makes `folder`, and makes its entry in the folder above durable.
fn create_and_sync_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        // Some file systems refuse to make what is there, with another reason.
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(error),
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    match File::open(above) {
        Ok(above) => above.sync_all(),
        // A folder above the store that may be passed but not read: it was not made by us.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what killed processes left in `folder`: files `NAME#N`, as `object_store` stages them. What cannot be removed
/// stays, for another time: it takes space and does nothing else.
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

//! Object stores for checkpoints: a local directory, S3, Google Cloud Storage, Azure, or this process's memory.
//!
//! Owns: the syntax of a store's place (for example `s3://BUCKET/PREFIX`), opening each kind of store, the
//! classification of errors, and the asynchronous runtime. Does not own: names and contents of objects (the engine's
//! checkpoints), retries of failed calls (the caller).
//!
//! Invariants:
//! 1. An object appears whole or not at all. Of several calls that create an object with the same name, at most one
//!    succeeds. A local store first writes a staged file (`NAME#1`). Then it creates a hard link to this file under the
//!    object's name, which fails if the name exists. For S3, each write request has the header `If-None-Match: *`.
//!    Google and Azure have equivalent headers.
//! 2. If [`CheckpointStore::create_object`] reports that an object was created or exists, the object survives a crash
//!    of the machine. A local store syncs the object's file and directories before the call returns.
//! 3. Every call ends within 30 s. After a timeout the outcome of a write is unknown: the object may still appear
//!    *later*. A read that finds no object therefore does not prove that the object will never exist.
//! 4. No message holds a secret: URLs are rendered without user, password and query.
//!
//! After a crash: staged files (`NAME#1`) of a killed process may remain in a local directory.
//! [`CheckpointStore::list_objects`] does not return staged files, and no valid object name contains `#`.
//! [`CheckpointStore::delete_objects`] also removes staged files older than an hour from the folders of the deleted
//! objects.
//!
//! Why a runtime: [`CheckpointStore`] is a blocking interface, but the `object_store` crate is asynchronous. One thread
//! of the runtime polls the sockets of all stores. A call blocks the calling thread. If the calling thread belongs to
//! another Tokio runtime, the call panics.

mod cloud;
mod cloud_or_memory;
mod fault;
mod local;
mod object_name;
mod operations;
mod place;
mod runtime;

use std::fmt;
use std::sync::Arc;

use object_store::memory::InMemory;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StoreFault};

use self::cloud_or_memory::CloudOrMemoryStore;
use self::local::LocalStore;
use self::place::StorePlace;
use self::runtime::StoreRuntime;

/// Opens object stores: `file:PATH` or a path, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, and
/// `memory:`. All `memory:` stores of one opener share their objects, which exist only in the memory of this process.
///
/// A relative path starts at the working directory. The first write to a local store creates the store's directory.
/// Credentials and endpoints of the clouds come from environment variables that the `object_store` crate reads.
/// Examples are `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `GOOGLE_SERVICE_ACCOUNT` and
/// `AZURE_STORAGE_ACCOUNT_NAME`.
pub struct ObjectStoreOpener {
    runtime: Arc<StoreRuntime>,
    memory_store: Arc<InMemory>,
    /// The settings that override environment variables of the same names. The values may be secrets.
    setting_overrides: Vec<(String, String)>,
}

impl ObjectStoreOpener {
    /// Creates an opener, and starts the runtime that all stores of the opener share.
    ///
    /// # Errors
    /// When the thread of the runtime cannot be started.
    pub fn new() -> Result<Self, StoreFault> {
        // The HTTP client of the `object_store` crate panics if the process has no default crypto provider for TLS.
        // `install_default` fails only if the process already has one, so the result is ignored.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            runtime: Arc::new(StoreRuntime::start()?),
            memory_store: Arc::new(InMemory::new()),
            setting_overrides: Vec::new(),
        })
    }

    /// Adds settings that override environment variables of the same names, such as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn with_setting_overrides(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.setting_overrides.extend(settings);
        self
    }
}

impl fmt::Debug for ObjectStoreOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreOpener").finish_non_exhaustive()
    }
}

impl CheckpointStoreOpener for ObjectStoreOpener {
    fn open_store(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault> {
        let io = Arc::clone(&self.runtime);
        let place = StorePlace::parse(place)?;
        let shown = place.to_string();
        Ok(match place {
            StorePlace::Local(path) => Arc::new(LocalStore::new(io, path)),
            StorePlace::Memory => {
                Arc::new(CloudOrMemoryStore::new(io, Arc::<InMemory>::clone(&self.memory_store), shown))
            }
            StorePlace::Cloud(bucket) => {
                Arc::new(CloudOrMemoryStore::new(io, cloud::open_bucket(&bucket, &self.setting_overrides)?, shown))
            }
        })
    }
}

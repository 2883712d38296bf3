//! Object stores for checkpoints: a local directory, S3, Google Cloud Storage, Azure, or this process's memory.
//!
//! Owns: the syntax of places, opening each kind of store, error classification, and the runtime of the calls.
//! Does not own: names and contents of objects (the engine's checkpoints), retries of failed calls (the caller).
//!
//! Invariants:
//! 1. An object appears whole or not at all. Of several calls that create the same name, at most one succeeds. A local
//!    store publishes a staged file under its name by a hard link. S3 uses `If-None-Match: *`; Google and Azure have
//!    equivalents.
//! 2. An object that [`CheckpointStore::create_object`] has created or found survives a crash of the machine: file and
//!    directories are synced before the call returns.
//! 3. Every call ends within 30 s. The outcome of a timed-out call is unknown, and its write may still take effect
//!    *later*. A read that finds nothing therefore does not prove that the object will never exist.
//! 4. No message holds a secret: URLs are rendered without user, password and query.
//!
//! After a crash: staged files (`NAME#1`) of a killed process may remain in a local directory. No list contains them,
//! and no valid object name equals the name of a staged file. [`CheckpointStore::delete_objects`] removes staged files
//! older than an hour from every folder in which it deletes.
//!
//! Why a runtime: the interface blocks and is called from plain threads, but the `object_store` crate is asynchronous.
//! One thread polls the sockets of all stores, and each call blocks the thread that made it. A call from within another
//! runtime panics.

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
/// `memory:`. A `memory:` store loses its objects when this value is dropped.
///
/// A path is relative to the working directory. The first write creates the directory. Credentials and endpoints of the
/// clouds come from environment variables that the `object_store` crate reads. Examples are `AWS_ACCESS_KEY_ID`,
/// `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `GOOGLE_SERVICE_ACCOUNT` and `AZURE_STORAGE_ACCOUNT_NAME`.
pub struct ObjectStoreOpener {
    runtime: Arc<StoreRuntime>,
    memory_store: Arc<InMemory>,
    /// The settings that override the environment. They may hold secrets.
    setting_overrides: Vec<(String, String)>,
}

impl ObjectStoreOpener {
    /// Starts the runtime of all stores.
    ///
    /// # Errors
    /// When the thread of the runtime cannot be started.
    pub fn new() -> Result<Self, StoreFault> {
        // The HTTP client panics without a default crypto provider. An error means that a provider is already
        // installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            runtime: Arc::new(StoreRuntime::start()?),
            memory_store: Arc::new(InMemory::new()),
            setting_overrides: Vec::new(),
        })
    }

    /// Adds settings, named like environment variables. A setting overrides the variable of the same name.
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

//! Object stores for checkpoints: a local directory, S3, Google Cloud Storage, Azure, or this process's memory.
//!
//! Owns: how a store's location is written, how each kind of store is opened, what its errors mean, and the runtime that its
//! calls run on. Does not own: the names of objects and their contents (the engine's checkpoints), retries after a failed
//! call (its caller).
//!
//! Invariants:
//! 1. An object appears whole or not at all. Of several calls that create one name, exactly one succeeds. Local: a staged
//!    file gets its name by a hard link. S3: `If-None-Match: *`; the other clouds likewise.
//! 2. An object that [`CheckpointStore::create`] has created or found survives a crash of the machine: file and directories
//!    are synced before the call returns.
//! 3. Every call ends within 30 s; after a timeout its outcome is unknown. Such a write may still take effect *later*, so
//!    a read that finds nothing does not prove that the object will never exist.
//! 4. No message holds a secret: URLs are rendered without user, password and query.
//!
//! After a crash: a killed process may leave staged files (`NAME#1`) in a local directory. They are in no list and have no
//! valid name. [`CheckpointStore::delete`] removes those older than an hour from every folder in which it deletes.
//!
//! Why a runtime: the interface is blocking and is called from plain threads, but the `object_store` crate is asynchronous.
//! One thread polls the sockets of all stores, and each call blocks the thread that made it. A call from within another
//! runtime would panic.

mod cloud;
mod fault;
mod io;
mod local;
mod name;
mod operations;
mod place;
mod remote;

use std::fmt;
use std::sync::Arc;

use object_store::memory::InMemory;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StoreFault};

use self::io::StoreRuntime;
use self::local::LocalStore;
use self::place::StorePlace;
use self::remote::RemoteStore;

/// Opens object stores: `file:PATH` or a path, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, and
/// `memory:` (gone with this value).
///
/// A path is relative to the working directory, and the first write creates its directory. Credentials and endpoints of
/// the clouds come from the environment variables that the `object_store` crate reads: `AWS_ACCESS_KEY_ID`,
/// `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, …, `GOOGLE_SERVICE_ACCOUNT`, …, `AZURE_STORAGE_ACCOUNT_NAME`, ….
pub struct ObjectStores {
    io: Arc<StoreRuntime>,
    memory: Arc<InMemory>,
    /// May hold secrets.
    settings: Vec<(String, String)>,
}

impl ObjectStores {
    /// Starts the runtime.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn new() -> Result<Self, StoreFault> {
        // The HTTP client panics without a default provider. An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { io: Arc::new(StoreRuntime::start()?), memory: Arc::new(InMemory::new()), settings: Vec::new() })
    }

    /// Adds settings under the names of environment variables. They override the environment.
    #[must_use]
    pub fn with_settings(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }
}

impl fmt::Debug for ObjectStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStores").finish_non_exhaustive()
    }
}

impl CheckpointStoreOpener for ObjectStores {
    fn open(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault> {
        let io = Arc::clone(&self.io);
        let place = StorePlace::parse(place)?;
        let shown = place.to_string();
        Ok(match place {
            StorePlace::Local(path) => Arc::new(LocalStore::new(io, path)),
            StorePlace::Memory => Arc::new(RemoteStore::new(io, Arc::<InMemory>::clone(&self.memory), shown)),
            StorePlace::Cloud(bucket) => {
                Arc::new(RemoteStore::new(io, cloud::open_bucket(&bucket, &self.settings)?, shown))
            }
        })
    }
}

//! Object stores: where checkpoints lie. A local directory, S3, Google Cloud Storage, Azure, or this process's memory.
//!
//! Owns: what a place is called, how each kind of store is opened, what its errors mean, and the only asynchronous
//! runtime of the program. Does not own: the names of objects or what is in them (the engine's checkpoints), when to
//! try again after a call failed (its caller).
//!
//! Invariants:
//! 1. An object appears whole or not at all, and of several that create one name exactly one succeeds. Local: staged
//!    beside its name and given it by a hard link. S3: `If-None-Match: *`; likewise in the other clouds.
//! 2. What [`CheckpointStore::create`] returned for, and what it found to exist, survives a crash of the machine: file
//!    and directories are synced before it answers.
//! 3. Every call ends within 30 s; then its outcome is unknown. A write given up that way may still take effect
//!    *later*: what reads it back once and finds nothing has not proved that it never will be there.
//! 4. No message holds a secret: addresses are shown without user, password and query.
//!
//! After a crash: a killed process may leave staged files (`NAME#1`) in a local directory. No list shows them, no name
//! reaches them, and [`CheckpointStore::delete`] removes those older than an hour from every folder that it deletes from.
//!
//! Why a runtime, and why here: the interface is blocking and is called from plain threads, but `object_store` is
//! asynchronous. One thread waits for sockets on behalf of all stores; each call waits on the thread that made it. It
//! must not be called from within another runtime; there is none in this program.

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
/// A path is relative to the working directory, and its directory is made by the first write. Credentials and endpoints
/// of the clouds come from the environment, by the names that `object_store` reads: `AWS_ACCESS_KEY_ID`,
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
        // The HTTP client asks for the process's default and panics without one. Where somebody chose another, theirs stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { io: Arc::new(StoreRuntime::start()?), memory: Arc::new(InMemory::new()), settings: Vec::new() })
    }

    /// With these settings, by the names of the environment's variables; they win over the environment's.
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

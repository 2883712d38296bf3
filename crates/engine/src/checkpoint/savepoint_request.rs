//! Savepoint requests. A request is one object in the job's checkpoint store, which every process polls once a second.
//!
//! The owner of each partition writes a complete snapshot to the place named in the request. The owner then confirms
//! the partition with an object in the checkpoint store.
//! Owns: the request and the confirmations. Does not own: taking a savepoint (`take_savepoint`), writing snapshots (the
//! checkpoint thread).
//! Invariant: only one savepoint is taken at a time. An expired request is ignored.
//! After a crash of an owner, the next owner of its partitions writes their snapshots. After a crash of the requesting
//! process, the request expires.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::create_object::create_or_confirm;
use super::object_names;
use super::store::{CheckpointStore, CheckpointStoreOpener, StoreFault};
use crate::halt::{CheckpointStoreFault, UnreachableService, share_error};
use crate::identifiers::Partition;
use crate::{Clock, Halt, StopSignal};

const REQUEST_VERSION: u32 = 1;
const REQUEST_TITLE: &str = "windrow-savepoint-request";
const THREAD_NAME: &str = "savepoints";
/// The time between two polls for a request.
const REQUEST_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A request to take a savepoint.
#[derive(Clone, Debug)]
pub struct SavepointRequest {
    /// The name of the savepoint, which is unique.
    pub id: String,
    /// The store that the savepoint is written to.
    pub target_store: Arc<dyn CheckpointStore>,
}

/// A savepoint request as stored in the checkpoint store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(super) struct StoredSavepointRequest {
    pub(super) id: String,
    pub(super) to: String,
    /// The wall-clock time at which the request expires, in epoch milliseconds.
    pub(super) until_ms: i64,
}

/// The current savepoint request, shared by all workers of a process.
#[derive(Clone, Default, Debug)]
pub struct CurrentSavepointRequest(Arc<Mutex<Option<Arc<SavepointRequest>>>>);

impl CurrentSavepointRequest {
    /// Starts a thread that polls `store` for a request until `stop` is requested.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_watching(
        store: Arc<dyn CheckpointStore>,
        opener: Arc<dyn CheckpointStoreOpener>,
        clock: Arc<dyn Clock>,
        stop: StopSignal,
    ) -> Result<Self, Halt> {
        let requests = Self::default();
        let shared = requests.clone();
        let poll = move || {
            let mut refused_id = None;
            while !stop.is_requested() {
                shared.poll_request(&*store, &*opener, &*clock, &mut refused_id);
                clock.sleep(REQUEST_POLL_INTERVAL);
            }
        };
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(poll).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(requests)
    }

    /// Returns the current request, or `None` if no savepoint is requested.
    #[must_use]
    pub fn current(&self) -> Option<Arc<SavepointRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn poll_request(
        &self,
        store: &dyn CheckpointStore,
        opener: &dyn CheckpointStoreOpener,
        clock: &dyn Clock,
        refused_id: &mut Option<String>,
    ) {
        let Ok(object) = store.read(object_names::SAVEPOINT_REQUEST_OBJECT) else { return }; // unreachable: polled again
        let stored = object.and_then(|object| StoredSavepointRequest::decode(&object));
        let next = match stored.filter(|stored| !stored.is_expired(clock.wall_now_ms())) {
            None => None,
            Some(stored) if self.current().is_some_and(|current| current.id == stored.id) => return,
            Some(stored) => match opener.open(&stored.to) {
                Ok(store) => {
                    info!(savepoint = stored.id, to = store.place(), "savepoint requested");
                    Some(Arc::new(SavepointRequest { id: stored.id, target_store: store }))
                }
                Err(fault) => {
                    if refused_id.as_ref() != Some(&stored.id) {
                        warn!(savepoint = stored.id, to = stored.to, %fault, "savepoint requested in a place that cannot be used");
                        *refused_id = Some(stored.id);
                    }
                    None
                }
            },
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl StoredSavepointRequest {
    fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string(self)?;
        Ok(encode_checksummed_text(REQUEST_TITLE, REQUEST_VERSION, &body))
    }

    fn decode(object: &[u8]) -> Option<Self> {
        let body = decode_checksummed_text(REQUEST_TITLE, REQUEST_VERSION, object).ok()?;
        serde_json::from_str(body).ok()
    }

    fn is_expired(&self, now_ms: i64) -> bool {
        self.until_ms <= now_ms
    }
}

/// Creates `request` in `store`. Replaces a request that has expired.
///
/// # Errors
/// [`Halt::Unreachable`] when another savepoint is being taken. [`Halt::CheckpointStore`] when the store fails.
pub(super) fn create_savepoint_request(
    store: &dyn CheckpointStore,
    request: &StoredSavepointRequest,
    clock: &dyn Clock,
) -> Result<(), Halt> {
    let failed = |source: StoreFault| CheckpointStoreFault::SavepointFailed { source };
    let object = request.encode().map_err(|error| failed(StoreFault::Failed(share_error(error))))?;
    let name = object_names::SAVEPOINT_REQUEST_OBJECT;
    while !create_or_confirm(store, name, &object).map_err(failed)? {
        let existing = store.read(name).map_err(failed)?.as_deref().and_then(StoredSavepointRequest::decode);
        if let Some(StoredSavepointRequest { id, until_ms, .. }) =
            existing.filter(|existing| !existing.is_expired(clock.wall_now_ms()))
        {
            return Err(UnreachableService::SavepointUnderWay { id, expires_at_ms: until_ms }.into());
        }
        store.delete(&[name.to_owned()]).map_err(failed)?;
    }
    Ok(())
}

/// Records in `store` that `partition` is written to the savepoint.
pub(super) fn confirm_saved_partition(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    partition: Partition,
) -> Result<(), StoreFault> {
    let object = object_names::savepoint_confirmation_object_name(&request.id, partition);
    match store.create(&object, b"saved\n".to_vec()) {
        Ok(()) | Err(StoreFault::Exists) => Ok(()),
        Err(fault) => Err(fault),
    }
}

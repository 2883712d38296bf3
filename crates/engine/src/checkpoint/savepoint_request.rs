//! Savepoint requests. A savepoint request is an object in the job's checkpoint store. Every process of the job looks
//! for this object once a second.
//!
//! The owner of each partition writes a base to the place that the request names. Then the owner confirms that the
//! savepoint contains the partition. A confirmation is another object in the job's checkpoint store.
//! Owns: the objects of the request and of the confirmations. Does not own: taking a savepoint (`take_savepoint`),
//! writing snapshots (the checkpoint thread).
//! Invariants: (1) Only one savepoint is taken at a time. (2) An expired request is ignored.
//! After a crash of a partition's owner, the next owner writes the partition to the savepoint. After a crash of the
//! requesting process, the request expires.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::create_object::create_or_compare_object;
use super::object_names;
use super::store::{CheckpointStore, CheckpointStoreOpener, StoreFault};
use crate::halt::{CheckpointStoreFault, UnreachableService, share_error};
use crate::identifiers::Partition;
use crate::{Clock, Halt, StopSignal, ThreadSpawner};

const REQUEST_FORMAT_VERSION: u32 = 1;
const REQUEST_TITLE: &str = "windrow-savepoint-request";
const THREAD_NAME: &str = "savepoints";
/// The time between two polls for a savepoint request.
const REQUEST_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A request to take a savepoint.
#[derive(Clone, Debug)]
pub struct SavepointRequest {
    /// The unique name of the savepoint.
    pub savepoint_id: String,
    /// The store in which the savepoint is created.
    pub target_store: Arc<dyn CheckpointStore>,
}

/// The content of the object that requests a savepoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(super) struct StoredSavepointRequest {
    #[serde(rename = "id")]
    pub(super) savepoint_id: String,
    #[serde(rename = "to")]
    pub(super) target_place: String,
    /// The wall-clock time at which the request expires, in epoch milliseconds.
    #[serde(rename = "until_ms")]
    pub(super) expires_at_ms: i64,
}

/// The current savepoint request, which all workers of a process share.
#[derive(Clone, Default, Debug)]
pub struct CurrentSavepointRequest(Arc<Mutex<Option<Arc<SavepointRequest>>>>);

impl CurrentSavepointRequest {
    /// Starts a thread that looks for a savepoint request in `store` once a second, until a stop is requested.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_polling_thread(
        store: Arc<dyn CheckpointStore>,
        opener: Arc<dyn CheckpointStoreOpener>,
        clock: Arc<dyn Clock>,
        thread_spawner: &dyn ThreadSpawner,
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
        thread_spawner.spawn_thread(THREAD_NAME, Box::new(poll)).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(requests)
    }

    /// Returns the current request, or `None` if no savepoint is requested.
    #[must_use]
    pub fn current_request(&self) -> Option<Arc<SavepointRequest>> {
        self.0.lock().clone()
    }

    /// Replaces the current request by the request in `store`. If `store` holds no valid request, clears the current
    /// request. If the place that the request names cannot be opened, clears the current request and logs the fault.
    /// Stores the savepoint's id in `refused_id`, so that later polls do not log the fault again.
    fn poll_request(
        &self,
        store: &dyn CheckpointStore,
        opener: &dyn CheckpointStoreOpener,
        clock: &dyn Clock,
        refused_id: &mut Option<String>,
    ) {
        // If the store is unreachable, the current request stays unchanged until the next poll.
        let Ok(object) = store.read_object(object_names::SAVEPOINT_REQUEST_OBJECT) else { return };
        let stored = object.and_then(|object| StoredSavepointRequest::decode(&object));
        let next = match stored.filter(|stored| !stored.is_expired(clock.wall_now_ms())) {
            None => None,
            Some(stored)
                if self.current_request().is_some_and(|current| current.savepoint_id == stored.savepoint_id) =>
            {
                return;
            }
            Some(stored) => match opener.open_store(&stored.target_place) {
                Ok(store) => {
                    info!(savepoint = stored.savepoint_id, to = store.place(), "savepoint requested");
                    Some(Arc::new(SavepointRequest { savepoint_id: stored.savepoint_id, target_store: store }))
                }
                Err(fault) => {
                    if refused_id.as_ref() != Some(&stored.savepoint_id) {
                        warn!(savepoint = stored.savepoint_id, to = stored.target_place, %fault, "ignoring a savepoint request whose place cannot be opened");
                        *refused_id = Some(stored.savepoint_id);
                    }
                    None
                }
            },
        };
        *self.0.lock() = next;
    }
}

impl StoredSavepointRequest {
    fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string(self)?;
        Ok(encode_checksummed_text(REQUEST_TITLE, REQUEST_FORMAT_VERSION, &body))
    }

    fn decode(object: &[u8]) -> Option<Self> {
        let body = decode_checksummed_text(REQUEST_TITLE, REQUEST_FORMAT_VERSION, object).ok()?;
        serde_json::from_str(body).ok()
    }

    fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms <= now_ms
    }
}

/// Stores `request` as an object in `store`. Replaces an expired request.
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
    while !create_or_compare_object(store, name, &object).map_err(failed)? {
        let existing = store.read_object(name).map_err(failed)?.as_deref().and_then(StoredSavepointRequest::decode);
        if let Some(StoredSavepointRequest { savepoint_id, expires_at_ms, .. }) =
            existing.filter(|existing| !existing.is_expired(clock.wall_now_ms()))
        {
            return Err(UnreachableService::SavepointUnderWay { savepoint_id, expires_at_ms }.into());
        }
        store.delete_objects(&[name.to_owned()]).map_err(failed)?;
    }
    Ok(())
}

/// Lets the requested savepoint fail, because `partition` is parked. `fault` is the reason. Creates an object in `store`.
pub(super) fn refuse_savepoint(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    partition: Partition,
    fault: &str,
) -> Result<(), StoreFault> {
    let object = object_names::savepoint_refusal_object_name(&request.savepoint_id, partition);
    create_answer(store, request, object, fault.as_bytes().to_vec())
}

/// Confirms that the requested savepoint contains `partition`, by creating an object in `store`.
pub(super) fn confirm_saved_partition(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    partition: Partition,
) -> Result<(), StoreFault> {
    let object = object_names::savepoint_confirmation_object_name(&request.savepoint_id, partition);
    create_answer(store, request, object, b"saved\n".to_vec())
}

/// Creates an answer to `request` in `store`. Deletes it again if the request has ended meanwhile: the process that asked
/// has then already deleted all answers.
fn create_answer(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    object: String,
    answer: Vec<u8>,
) -> Result<(), StoreFault> {
    match store.create_object(&object, answer) {
        Ok(()) | Err(StoreFault::Exists) => {}
        Err(fault) => return Err(fault),
    }
    let stored = store.read_object(object_names::SAVEPOINT_REQUEST_OBJECT)?;
    let stored = stored.and_then(|stored| StoredSavepointRequest::decode(&stored));
    if stored.is_some_and(|stored| stored.savepoint_id == request.savepoint_id) {
        return Ok(());
    }
    store.delete_objects(&[object])
}

//! Savepoint requests: one object in the job's checkpoint store, which every process looks for once a second.
//!
//! The owner of each partition writes a whole snapshot to the place that the request names, and confirms that with an
//! object in the checkpoint store.
//! Owns: the request and the confirmations. Does not own: taking a savepoint (`take_savepoint`), snapshots (the checkpoint
//! thread writes them as it writes checkpoints).
//! Invariant: one savepoint is taken at a time; an expired request does not count.
//! After a crash: of an owner, the next owner of its partitions writes its part. Of the process that requested: the request
//! expires.

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
/// How often a process looks for a request.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A savepoint that is requested.
#[derive(Clone, Debug)]
pub struct SavepointRequest {
    /// Its name; no two savepoints have the same.
    pub id: String,
    /// Where it is written to.
    pub store: Arc<dyn CheckpointStore>,
}

/// The request, as the checkpoint store holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(super) struct StoredSavepointRequest {
    pub(super) id: String,
    pub(super) to: String,
    /// Wall clock, in epoch milliseconds: it expires then.
    pub(super) until_ms: i64,
}

/// The request that the workers of a process see.
#[derive(Clone, Default, Debug)]
pub struct SavepointRequests(Arc<Mutex<Option<Arc<SavepointRequest>>>>);

impl SavepointRequests {
    /// Starts a thread that looks for requests in `store`, until `stop`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn watch(
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
                clock.sleep(POLL_INTERVAL);
            }
        };
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(poll).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(requests)
    }

    /// Returns the savepoint to be taken now.
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
                    Some(Arc::new(SavepointRequest { id: stored.id, store }))
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

/// Creates `request` in `store`, in place of one that has expired.
///
/// # Errors
/// [`Halt::Unreachable`] when another savepoint is being taken; [`Halt::CheckpointStore`] when the store fails.
pub(super) fn create_request(
    store: &dyn CheckpointStore,
    request: &StoredSavepointRequest,
    clock: &dyn Clock,
) -> Result<(), Halt> {
    let failed = |source: StoreFault| CheckpointStoreFault::SavepointFailed { source };
    let object = request.encode().map_err(|error| failed(StoreFault::Failed(error.to_string())))?;
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

/// Confirms that `partition` is in the savepoint.
pub(super) fn confirm_partition(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    partition: Partition,
) -> Result<(), StoreFault> {
    let object = object_names::savepoint_confirmation_object(&request.id, partition);
    match store.create(&object, b"saved\n".to_vec()) {
        Ok(()) | Err(StoreFault::Exists) => Ok(()),
        Err(fault) => Err(fault),
    }
}

//! Savepoints: a copy of all state in a place of its own, asked for by a person, taken by whoever owns the partitions.
//!
//! Whoever wants one creates the object `savepoint/request` in the job's checkpoint store. Every process looks for it once
//! a second; the owner of each partition writes a whole snapshot to the place named there and confirms that in the
//! checkpoint store. The one who asked waits for all confirmations, writes down what the savepoint holds, and takes the
//! request back.
//!
//! Owns: request, confirmations, what a savepoint says of itself. Does not own: snapshots (the keeper writes them as it
//! writes checkpoints).
//! Invariants: (1) one savepoint is taken at a time; a request whose time is over does not count; (2) a savepoint names
//! nothing outside its own place; (3) it is whole exactly when its object `savepoint` exists; nothing of ours ever deletes
//! from one.
//! After a crash: of an owner: the next owner of its partitions takes its part. Of the one who asked: the request runs
//! out; what is in the place has no object `savepoint` and can be deleted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::manifest::{decode_checksummed_text, encode_checksummed_text};
use super::{
    CheckpointManifest, CheckpointStore, CheckpointStoreOpener, ManifestFault, StoreFault, epoch, inspect, names,
};
use crate::{Halt, Partition, StopSignal};

const SAVEPOINT_VERSION: u32 = 1;
const REQUEST_TITLE: &str = "windrow-savepoint-request";
const CONTENT_TITLE: &str = "windrow-savepoint";
/// How often a process looks for a request, and the one who asked for confirmations.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A savepoint that is being asked for.
#[derive(Clone, Debug)]
pub struct SavepointRequest {
    /// Its name; no two savepoints have the same.
    pub id: String,
    /// Where it goes.
    pub store: Arc<dyn CheckpointStore>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
struct StoredSavepointRequest {
    id: String,
    to: String,
    /// Wall clock, in epoch milliseconds: nobody waits for it after that.
    until_ms: i64,
}

/// What a savepoint says of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SavepointContent {
    /// Its name.
    pub id: String,
    /// When it was complete, by the wall clock, in epoch milliseconds.
    pub taken_at_ms: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
    /// The partitions in it: all of the topic.
    pub partitions: Vec<Partition>,
    /// Bytes of all state objects.
    pub bytes: u64,
}

impl SavepointContent {
    /// Reads the object `savepoint`.
    pub(super) fn read(object: &[u8]) -> Result<Self, ManifestFault> {
        let body = decode_checksummed_text(CONTENT_TITLE, SAVEPOINT_VERSION, object)?;
        serde_json::from_str(body).map_err(|error| ManifestFault::Damaged(format!("it is no savepoint: {error}")))
    }
}

/// What the workers of a process see of requests.
#[derive(Clone, Default, Debug)]
pub struct SavepointRequests(Arc<Mutex<Option<Arc<SavepointRequest>>>>);

impl SavepointRequests {
    /// Begins to look for requests in `store`, until `stop`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch(
        store: Arc<dyn CheckpointStore>,
        stores: Arc<dyn CheckpointStoreOpener>,
        stop: StopSignal,
    ) -> Result<Self, Halt> {
        let requests = Self::default();
        let seen = requests.clone();
        let look = move || {
            let mut refused = None;
            while !stop.is_requested() {
                seen.poll_request(&*store, &*stores, &mut refused);
                thread::sleep(POLL_INTERVAL);
            }
        };
        thread::Builder::new()
            .name("savepoints".to_owned())
            .spawn(look)
            .map_err(|error| Halt::CheckpointStore(format!("no thread for savepoints can be started: {error}")))?;
        Ok(requests)
    }

    /// The savepoint to be taken now.
    #[must_use]
    pub fn current(&self) -> Option<Arc<SavepointRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn poll_request(
        &self,
        store: &dyn CheckpointStore,
        stores: &dyn CheckpointStoreOpener,
        refused_id: &mut Option<String>,
    ) {
        let Ok(object) = store.read(names::SAVEPOINT_REQUEST_OBJECT) else { return }; // away: asked again in a moment
        let wish = object.and_then(|object| read_request(&object)).filter(|wish| wish.until_ms > now_ms());
        let current = self.current();
        let next = match wish {
            None => None,
            Some(wish) if current.as_ref().is_some_and(|current| current.id == wish.id) => return,
            Some(wish) => match stores.open(&wish.to) {
                Ok(store) => {
                    info!(savepoint = wish.id, to = store.place(), "a savepoint was asked for");
                    Some(Arc::new(SavepointRequest { id: wish.id, store }))
                }
                Err(fault) => {
                    if refused_id.as_ref() != Some(&wish.id) {
                        warn!(savepoint = wish.id, to = wish.to, %fault, "a savepoint was asked for in a place that cannot be used");
                        *refused_id = Some(wish.id);
                    }
                    None
                }
            },
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn read_request(object: &[u8]) -> Option<StoredSavepointRequest> {
    decode_checksummed_text(REQUEST_TITLE, SAVEPOINT_VERSION, object)
        .ok()
        .and_then(|body| serde_json::from_str(body).ok())
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `partition` is in the savepoint.
pub(super) fn confirm_partition(
    store: &dyn CheckpointStore,
    request: &SavepointRequest,
    partition: Partition,
) -> Result<(), StoreFault> {
    match store.create(&names::savepoint_confirmation_object(&request.id, partition), b"saved\n".to_vec()) {
        Ok(()) | Err(StoreFault::Exists) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Takes a savepoint called `id` of the running job that keeps its checkpoints in `store`, to `to`. Waits at most for
/// `patience`; `progress` hears how many of how many partitions are in it.
///
/// # Errors
/// [`Halt::NotReachable`] when some partitions were not saved in time, or another savepoint is being taken;
/// [`Halt::ForeignState`] when there is no state; [`Halt::CheckpointStore`] when a store refuses or fails.
pub fn take_savepoint(
    store: &dyn CheckpointStore,
    target: &dyn CheckpointStore,
    id: &str,
    timeout: Duration,
    stop: &StopSignal,
    mut progress: impl FnMut(usize, usize),
) -> Result<SavepointContent, Halt> {
    let failed = |fault: StoreFault| Halt::CheckpointStore(format!("no savepoint: {fault}"));
    let known = inspect::list_checkpoints(store).map_err(failed)?;
    let Some(newest) =
        known.iter().filter_map(|found| found.manifest.as_ref().ok()).max_by_key(|manifest| manifest.taken_at_ms)
    else {
        return Err(Halt::ForeignState(format!(
            "there is no checkpoint in {}: nothing has run with this pipeline file and group, or it has not completed its \
             first checkpoint yet",
            store.place()
        )));
    };
    let partitions: Vec<Partition> = (0..newest.partitions).collect();
    let until_ms = now_ms() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2);
    create_request(store, &StoredSavepointRequest { id: id.to_owned(), to: target.place().to_owned(), until_ms })
        .map_err(failed)??;
    let waited = wait_for_confirmations(store, target, id, &partitions, timeout, stop, &mut progress);
    let mut done: Vec<String> =
        partitions.iter().map(|&partition| names::savepoint_confirmation_object(id, partition)).collect();
    done.push(names::SAVEPOINT_REQUEST_OBJECT.to_owned());
    if let Err(fault) = store.delete(&done) {
        warn!(%fault, "the request could not be taken back; it runs out by itself");
    }
    waited?;
    complete_savepoint(target, id, &partitions, newest).map_err(failed)?
}

/// Creates the request, in place of one that has run out.
fn create_request(
    store: &dyn CheckpointStore,
    request: &StoredSavepointRequest,
) -> Result<Result<(), Halt>, StoreFault> {
    let body = serde_json::to_string(request).map_err(|error| StoreFault::Failed(error.to_string()))?;
    let object = encode_checksummed_text(REQUEST_TITLE, SAVEPOINT_VERSION, &body);
    while !epoch::create_or_confirm(store, names::SAVEPOINT_REQUEST_OBJECT, &object)? {
        let standing = store.read(names::SAVEPOINT_REQUEST_OBJECT)?.as_deref().and_then(read_request);
        if let Some(standing) = standing
            && standing.until_ms > now_ms()
        {
            let until = Timestamp::from_millisecond(standing.until_ms)
                .map_or_else(|_| "later".to_owned(), |until| format!("{until:.0}"));
            return Ok(Err(Halt::NotReachable(format!(
                "another savepoint, {}, is being taken; try again when it is done. If nobody waits for it any more, it \
                 gives way by itself at {until}",
                standing.id
            ))));
        }
        store.delete(&[names::SAVEPOINT_REQUEST_OBJECT.to_owned()])?;
    }
    Ok(Ok(()))
}

fn wait_for_confirmations(
    store: &dyn CheckpointStore,
    target: &dyn CheckpointStore,
    id: &str,
    partitions: &[Partition],
    timeout: Duration,
    stop: &StopSignal,
    progress: &mut impl FnMut(usize, usize),
) -> Result<(), Halt> {
    let until = Instant::now() + timeout;
    loop {
        // A store that is away for a moment is asked again.
        let listed = store.list(&format!("savepoint/{id}")).unwrap_or_default();
        let saved: BTreeSet<&str> = listed.iter().map(|object| object.name.as_str()).collect();
        let missing: Vec<String> = partitions
            .iter()
            .filter(|&&partition| !saved.contains(names::savepoint_confirmation_object(id, partition).as_str()))
            .map(ToString::to_string)
            .collect();
        progress(partitions.len() - missing.len(), partitions.len());
        if missing.is_empty() {
            return Ok(());
        }
        if stop.is_requested() || Instant::now() >= until {
            let why = if stop.is_requested() { "stopped while waiting" } else { "time is over" };
            let some = missing.len() < partitions.len();
            let left = if some {
                format!(". {} holds a part of it, which can be deleted", target.place())
            } else {
                String::new()
            };
            return Err(Halt::NotReachable(format!(
                "no savepoint: {why}, and partition {} of {} did not answer. Is the pipeline running, with this group and \
                 this checkpoint store, and may it write to the place asked for? Its log says more{left}",
                missing.join(", "),
                partitions.len()
            )));
        }
        thread::sleep(POLL_INTERVAL / 2);
    }
}

/// Writes down what the savepoint holds, which makes it whole.
fn complete_savepoint(
    target: &dyn CheckpointStore,
    id: &str,
    partitions: &[Partition],
    job: &CheckpointManifest,
) -> Result<Result<SavepointContent, Halt>, StoreFault> {
    let saved = inspect::list_checkpoints(target)?;
    let mut bytes = 0;
    for &partition in partitions {
        let newest = saved.iter().rev().find(|found| found.partition == partition);
        match newest.map(|found| &found.manifest) {
            Some(Ok(manifest)) => bytes += manifest.bytes(),
            _ => {
                return Ok(Err(Halt::CheckpointStore(format!(
                    "no savepoint: partition {partition} was confirmed, but cannot be read in {}. Do all instances reach that \
                     place under the same name?",
                    target.place()
                ))));
            }
        }
    }
    let content = SavepointContent {
        id: id.to_owned(),
        taken_at_ms: now_ms(),
        pipeline: job.pipeline.clone(),
        topic: job.topic.clone(),
        partitions: partitions.to_vec(),
        bytes,
    };
    let body = serde_json::to_string_pretty(&content).map_err(|error| StoreFault::Failed(error.to_string()))?;
    if !epoch::create_or_confirm(
        target,
        names::SAVEPOINT_OBJECT,
        &encode_checksummed_text(CONTENT_TITLE, SAVEPOINT_VERSION, &body),
    )? {
        return Err(StoreFault::Exists);
    }
    Ok(Ok(content))
}

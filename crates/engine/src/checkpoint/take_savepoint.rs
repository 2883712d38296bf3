//! Taking a savepoint: a copy of all state of a running job, in a place of its own.
//!
//! The process that takes it requests it, waits until the owners of all partitions have confirmed their parts, writes down
//! what it holds, and withdraws the request.
//! Owns: this procedure. Does not own: request and confirmations (`savepoint_request`).
//! Invariants: (1) a savepoint names nothing outside its own place; (2) it is whole exactly when its object `savepoint`
//! exists; no code of ours deletes from one.
//! After a crash: the request expires; what is in the place has no object `savepoint` and can be deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::warn;

use super::create_object::create_or_confirm;
use super::inspect;
use super::manifest::CheckpointManifest;
use super::object_names;
use super::savepoint_content::SavepointContent;
use super::savepoint_request::{StoredSavepointRequest, create_request};
use super::store::{CheckpointStore, StoreFault};
use crate::halt::{CheckpointStoreFault, ForeignState, UnreachableService, WaitEnd};
use crate::identifiers::Partition;
use crate::{Clock, Halt, StopSignal};

/// How often confirmations are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A savepoint to be taken, and how.
#[derive(Clone, Copy, Debug)]
pub struct SavepointParameters<'a> {
    /// Where the running job stores its checkpoints.
    pub store: &'a dyn CheckpointStore,
    /// Where the savepoint is written to.
    pub target: &'a dyn CheckpointStore,
    /// Its name; no two savepoints have the same.
    pub id: &'a str,
    /// How long the owners of the partitions may take.
    pub timeout: Duration,
    /// Measures that time.
    pub clock: &'a dyn Clock,
    /// Ends the wait early.
    pub stop: &'a StopSignal,
}

/// How far a savepoint is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavepointProgress {
    /// The partitions that are in it.
    pub saved: usize,
    /// All partitions.
    pub partitions: usize,
}

/// Takes a savepoint of a running job. Calls `on_progress` each time it has looked for confirmations.
///
/// # Errors
/// [`Halt::Unreachable`] when some partitions were not saved in time, or another savepoint is being taken;
/// [`Halt::ForeignState`] when there is no state; [`Halt::CheckpointStore`] when a store refuses or fails.
pub fn take_savepoint(
    parameters: SavepointParameters<'_>,
    mut on_progress: impl FnMut(SavepointProgress),
) -> Result<SavepointContent, Halt> {
    let SavepointParameters { store, target, id, timeout, clock, .. } = parameters;
    let stored = inspect::list_checkpoints(store).map_err(savepoint_failed)?;
    let readable = stored.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let Some(newest) = readable.max_by_key(|manifest| manifest.taken_at_ms) else {
        return Err(ForeignState::NoCheckpoint { place: store.place().to_owned() }.into());
    };
    let partitions: Vec<Partition> = (0..newest.partitions).collect();
    let until_ms = clock.wall_now_ms() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2);
    let request = StoredSavepointRequest { id: id.to_owned(), to: target.place().to_owned(), until_ms };
    create_request(store, &request, clock)?;
    let waited = wait_for_confirmations(&parameters, &partitions, &mut on_progress);
    let mut finished: Vec<String> =
        partitions.iter().map(|&partition| object_names::savepoint_confirmation_object(id, partition)).collect();
    finished.push(object_names::SAVEPOINT_REQUEST_OBJECT.to_owned());
    if let Err(fault) = store.delete(&finished) {
        warn!(%fault, "the savepoint request could not be withdrawn; it expires by itself");
    }
    waited?;
    complete_savepoint(&parameters, &partitions, newest)
}

fn wait_for_confirmations(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    on_progress: &mut impl FnMut(SavepointProgress),
) -> Result<(), Halt> {
    let SavepointParameters { store, target, id, timeout, clock, stop } = parameters;
    let deadline = clock.now() + *timeout;
    loop {
        // A store that fails for a moment is asked again.
        let listed = store.list(&object_names::savepoint_confirmations_folder(id)).unwrap_or_default();
        let confirmed: BTreeSet<&str> = listed.iter().map(|object| object.name.as_str()).collect();
        let is_missing = |partition: &Partition| {
            !confirmed.contains(object_names::savepoint_confirmation_object(id, *partition).as_str())
        };
        let missing: Vec<Partition> = partitions.iter().copied().filter(is_missing).collect();
        let saved = partitions.len() - missing.len();
        on_progress(SavepointProgress { saved, partitions: partitions.len() });
        if missing.is_empty() {
            return Ok(());
        }
        let end = match (stop.is_requested(), clock.now() >= deadline) {
            (true, _) => WaitEnd::Stopped,
            (false, true) => WaitEnd::TimedOut,
            (false, false) => {
                clock.sleep(POLL_INTERVAL);
                continue;
            }
        };
        let (place, partitions) = (target.place().to_owned(), partitions.len());
        return Err(UnreachableService::UnconfirmedSavepoint { end, missing, partitions, place }.into());
    }
}

/// Writes down what the savepoint holds, which makes it whole.
fn complete_savepoint(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    job: &CheckpointManifest,
) -> Result<SavepointContent, Halt> {
    let SavepointParameters { target, id, clock, .. } = parameters;
    let stored = inspect::list_checkpoints(*target).map_err(savepoint_failed)?;
    let mut bytes = 0;
    for &partition in partitions {
        let newest = stored.iter().rev().find(|checkpoint| checkpoint.partition == partition);
        match newest.map(|checkpoint| &checkpoint.manifest) {
            Some(Ok(manifest)) => bytes += manifest.bytes(),
            _ => {
                let place = target.place().to_owned();
                return Err(CheckpointStoreFault::UnreadableSavepoint { place, partition }.into());
            }
        }
    }
    let content = SavepointContent {
        id: (*id).to_owned(),
        taken_at_ms: clock.wall_now_ms(),
        pipeline: job.pipeline.clone(),
        topic: job.topic.clone(),
        partitions: partitions.to_vec(),
        bytes,
    };
    let object = content.encode().map_err(|error| savepoint_failed(StoreFault::Failed(error.to_string())))?;
    if !create_or_confirm(*target, object_names::SAVEPOINT_OBJECT, &object).map_err(savepoint_failed)? {
        return Err(savepoint_failed(StoreFault::Exists));
    }
    Ok(content)
}

fn savepoint_failed(source: StoreFault) -> Halt {
    CheckpointStoreFault::SavepointFailed { source }.into()
}

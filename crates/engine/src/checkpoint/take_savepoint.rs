//! A savepoint is a complete copy of a running job's state in a separate place.
//!
//! The process that takes a savepoint creates a request and waits until the owners of all partitions have confirmed.
//! The process then writes the object `savepoint` and withdraws the request.
//! Owns: this procedure. Does not own: the request and the confirmations (`savepoint_request`).
//! Invariants: (1) A savepoint refers only to objects in its own place. (2) A savepoint is complete exactly when its
//! object `savepoint` exists. (3) Windrow never deletes objects of a savepoint.
//! After a crash, the request expires. The objects in the place, without an object `savepoint`, can be deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::warn;

use super::create_object::create_or_confirm;
use super::inspect;
use super::manifest::CheckpointManifest;
use super::object_names;
use super::savepoint_content::SavepointContent;
use super::savepoint_request::{StoredSavepointRequest, create_savepoint_request};
use super::store::{CheckpointStore, StoreFault};
use crate::halt::{CheckpointStoreFault, ForeignState, UnreachableService, WaitEndReason, share_error};
use crate::identifiers::Partition;
use crate::{Clock, Halt, StopSignal};

/// The time between two polls for confirmations.
const CONFIRMATION_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The parameters of a savepoint.
#[derive(Clone, Copy, Debug)]
pub struct SavepointParameters<'a> {
    /// The store in which the running job keeps its checkpoints.
    pub checkpoint_store: &'a dyn CheckpointStore,
    /// The store that the savepoint is written to.
    pub target_store: &'a dyn CheckpointStore,
    /// The name of the savepoint, which is unique.
    pub id: &'a str,
    /// The time limit for the confirmations of all partitions.
    pub timeout: Duration,
    /// The clock that measures the time limit.
    pub clock: &'a dyn Clock,
    /// The signal that ends the wait early.
    pub stop: &'a StopSignal,
}

/// The progress of a savepoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavepointProgress {
    /// The number of partitions that are confirmed.
    pub saved_partition_count: usize,
    /// The number of all partitions.
    pub partition_count: usize,
}

/// Takes a savepoint of a running job. Calls `on_progress` after each poll for confirmations.
///
/// # Errors
/// [`Halt::Unreachable`] when partitions were not confirmed in time, or another savepoint is being taken.
/// [`Halt::ForeignState`] when the job has no checkpoint. [`Halt::CheckpointStore`] when a store refuses or fails.
pub fn take_savepoint(
    parameters: SavepointParameters<'_>,
    mut on_progress: impl FnMut(SavepointProgress),
) -> Result<SavepointContent, Halt> {
    let SavepointParameters { checkpoint_store: store, target_store: target, id, timeout, clock, .. } = parameters;
    let stored = inspect::list_checkpoints(store).map_err(halt_for_failed_savepoint)?;
    let readable = stored.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let Some(newest) = readable.max_by_key(|manifest| manifest.taken_at_ms) else {
        return Err(ForeignState::NoCheckpoint { place: store.place().to_owned() }.into());
    };
    let partitions: Vec<Partition> = (0..newest.partitions).collect();
    let until_ms = clock.wall_now_ms() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2);
    let request = StoredSavepointRequest { id: id.to_owned(), to: target.place().to_owned(), until_ms };
    create_savepoint_request(store, &request, clock)?;
    let waited = wait_for_confirmations(&parameters, &partitions, &mut on_progress);
    let mut finished: Vec<String> =
        partitions.iter().map(|&partition| object_names::savepoint_confirmation_object_name(id, partition)).collect();
    finished.push(object_names::SAVEPOINT_REQUEST_OBJECT.to_owned());
    if let Err(fault) = store.delete(&finished) {
        warn!(%fault, "the savepoint request could not be withdrawn; it expires by itself");
    }
    waited?;
    write_savepoint_content(&parameters, &partitions, newest)
}

fn wait_for_confirmations(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    on_progress: &mut impl FnMut(SavepointProgress),
) -> Result<(), Halt> {
    let SavepointParameters { checkpoint_store: store, target_store: target, id, timeout, clock, stop } = parameters;
    let deadline = clock.monotonic_now() + *timeout;
    loop {
        // A failed list counts as empty, so the next poll repeats the request.
        let listed = store.list(&object_names::savepoint_confirmations_folder(id)).unwrap_or_default();
        let confirmed: BTreeSet<&str> = listed.iter().map(|object| object.name.as_str()).collect();
        let is_missing = |partition: &Partition| {
            !confirmed.contains(object_names::savepoint_confirmation_object_name(id, *partition).as_str())
        };
        let missing: Vec<Partition> = partitions.iter().copied().filter(is_missing).collect();
        let saved = partitions.len() - missing.len();
        on_progress(SavepointProgress { saved_partition_count: saved, partition_count: partitions.len() });
        if missing.is_empty() {
            return Ok(());
        }
        let end = match (stop.is_requested(), clock.monotonic_now() >= deadline) {
            (true, _) => WaitEndReason::Stopped,
            (false, true) => WaitEndReason::TimedOut,
            (false, false) => {
                clock.sleep(CONFIRMATION_POLL_INTERVAL);
                continue;
            }
        };
        let (place, partitions) = (target.place().to_owned(), partitions.len());
        return Err(UnreachableService::UnconfirmedSavepoint { end, missing, partitions, place }.into());
    }
}

/// Writes the object `savepoint`, which completes the savepoint.
fn write_savepoint_content(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    job: &CheckpointManifest,
) -> Result<SavepointContent, Halt> {
    let SavepointParameters { target_store: target, id, clock, .. } = parameters;
    let stored = inspect::list_checkpoints(*target).map_err(halt_for_failed_savepoint)?;
    let mut bytes = 0;
    for &partition in partitions {
        let newest = stored.iter().rev().find(|checkpoint| checkpoint.partition == partition);
        match newest.map(|checkpoint| &checkpoint.manifest) {
            Some(Ok(manifest)) => bytes += manifest.total_byte_count(),
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
    let object = content.encode().map_err(|error| halt_for_failed_savepoint(StoreFault::Failed(share_error(error))))?;
    if !create_or_confirm(*target, object_names::SAVEPOINT_OBJECT, &object).map_err(halt_for_failed_savepoint)? {
        return Err(halt_for_failed_savepoint(StoreFault::Exists));
    }
    Ok(content)
}

fn halt_for_failed_savepoint(source: StoreFault) -> Halt {
    CheckpointStoreFault::SavepointFailed { source }.into()
}

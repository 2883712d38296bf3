//! Takes a savepoint: a complete copy of a running job's state in a separate place.
//!
//! The process that takes a savepoint creates a savepoint request. It then waits until the owner of each partition has
//! confirmed that the savepoint contains the partition. Then the process deletes the request and creates the object
//! `savepoint`.
//! Owns: the steps above. Does not own: the objects of the request and of the confirmations (`savepoint_request`).
//! Invariants: (1) The manifests of a savepoint name only state objects in the folder of the savepoint. (2) A savepoint
//! is complete if and only if its object `savepoint` exists. (3) Windrow never deletes objects of a savepoint.
//! If the process crashes, the request expires. The folder of the savepoint then holds an incomplete savepoint, which
//! an operator can delete.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::warn;

use super::create_object::create_or_compare_object;
use super::inspect;
use super::manifest::CheckpointManifest;
use super::object_names;
use super::savepoint_request::{StoredSavepointRequest, create_savepoint_request};
use super::savepoint_summary::SavepointSummary;
use super::store::{CheckpointStore, StoreFault};
use crate::halt::{CheckpointStoreFault, ForeignState, NoAnswerReason, UnreachableService, share_error};
use crate::identifiers::Partition;
use crate::{Clock, Halt, StopSignal};

/// The time between two polls for confirmations of partitions.
const CONFIRMATION_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The parameters of [`take_savepoint`].
#[derive(Clone, Copy, Debug)]
pub struct SavepointParameters<'a> {
    /// The store of the running job's checkpoints.
    pub checkpoint_store: &'a dyn CheckpointStore,
    /// The store in which the savepoint is created.
    pub target_store: &'a dyn CheckpointStore,
    /// The unique name of the savepoint.
    pub savepoint_id: &'a str,
    /// The time within which the owners of all partitions must confirm that the savepoint contains their partitions.
    pub confirmation_timeout: Duration,
    /// The clock that measures `confirmation_timeout`. The savepoint also stores this clock's wall-clock time at its
    /// completion.
    pub clock: &'a dyn Clock,
    /// The signal that ends the wait for confirmations early.
    pub stop_signal: &'a StopSignal,
}

/// The progress of a savepoint that is being taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavepointProgress {
    /// The number of partitions that the savepoint contains, as confirmed by the owners of these partitions.
    pub saved_partition_count: usize,
    /// The number of partitions of the topic.
    pub partition_count: usize,
}

/// Takes a savepoint of a running job. Calls `on_progress` after each poll for confirmations.
///
/// # Errors
/// [`Halt::Unreachable`] when some partitions were not confirmed in time, or another savepoint is being taken.
/// [`Halt::ForeignState`] when the job has no checkpoint. [`Halt::CheckpointStore`] when a partition is parked, and when
/// a store refuses an operation or fails.
pub fn take_savepoint(
    parameters: SavepointParameters<'_>,
    mut on_progress: impl FnMut(SavepointProgress),
) -> Result<SavepointSummary, Halt> {
    let SavepointParameters {
        checkpoint_store: store,
        target_store: target,
        savepoint_id: id,
        confirmation_timeout: timeout,
        clock,
        ..
    } = parameters;
    let stored = inspect::list_checkpoints(store).map_err(halt_for_failed_savepoint)?;
    let readable = stored.iter().filter_map(|checkpoint| checkpoint.manifest.as_ref().ok());
    let Some(newest) = readable.max_by_key(|manifest| manifest.taken_at_ms) else {
        return Err(ForeignState::NoCheckpoint { place: store.place().to_owned() }.into());
    };
    let partitions: Vec<Partition> = (0..newest.topic_partition_count).collect();
    let expires_at_ms = clock.wall_now_ms() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2);
    let request =
        StoredSavepointRequest { savepoint_id: id.to_owned(), target_place: target.place().to_owned(), expires_at_ms };
    create_savepoint_request(store, &request, clock)?;
    let waited = wait_for_confirmations(&parameters, &partitions, &mut on_progress);
    let answer_names = |&partition: &Partition| {
        [
            object_names::savepoint_confirmation_object_name(id, partition),
            object_names::savepoint_refusal_object_name(id, partition),
        ]
    };
    // The request goes first: an owner that answers afterwards sees that it is gone, and deletes its answer.
    let answers: Vec<String> = partitions.iter().flat_map(answer_names).collect();
    let request = [object_names::SAVEPOINT_REQUEST_OBJECT.to_owned()];
    if let Err(fault) = store.delete_objects(&request).and_then(|()| store.delete_objects(&answers)) {
        warn!(%fault, "cannot withdraw the savepoint request; the request expires by itself");
    }
    waited?;
    write_savepoint_summary(&parameters, &partitions, newest)
}

fn wait_for_confirmations(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    on_progress: &mut impl FnMut(SavepointProgress),
) -> Result<(), Halt> {
    let SavepointParameters {
        checkpoint_store: store,
        target_store: target,
        savepoint_id: id,
        confirmation_timeout: timeout,
        clock,
        stop_signal: stop,
    } = parameters;
    let deadline = clock.monotonic_now() + *timeout;
    loop {
        // If the store cannot list the confirmations, all partitions count as unconfirmed until the next poll.
        let listed = store.list_objects(&object_names::savepoint_confirmations_folder(id)).unwrap_or_default();
        let confirmed: BTreeSet<&str> = listed.iter().map(|object| object.object_name.as_str()).collect();
        for &partition in partitions {
            let refusal = object_names::savepoint_refusal_object_name(id, partition);
            if confirmed.contains(refusal.as_str()) {
                let fault = store.read_object(&refusal).ok().flatten().unwrap_or_default();
                let fault = String::from_utf8_lossy(&fault).into_owned();
                return Err(CheckpointStoreFault::ParkedPartitionInSavepoint { partition, fault }.into());
            }
        }
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
            (true, _) => NoAnswerReason::Stopped,
            (false, true) => NoAnswerReason::TimedOut,
            (false, false) => {
                clock.sleep(CONFIRMATION_POLL_INTERVAL);
                continue;
            }
        };
        let (place, partitions) = (target.place().to_owned(), partitions.len());
        return Err(UnreachableService::UnconfirmedSavepoint { end, missing, partitions, place }.into());
    }
}

/// Creates the object `savepoint`, which completes the savepoint. Returns the summary in this object.
fn write_savepoint_summary(
    parameters: &SavepointParameters<'_>,
    partitions: &[Partition],
    job: &CheckpointManifest,
) -> Result<SavepointSummary, Halt> {
    let SavepointParameters { target_store: target, savepoint_id: id, clock, .. } = parameters;
    let stored = inspect::list_checkpoints(*target).map_err(halt_for_failed_savepoint)?;
    let mut bytes = 0;
    for &partition in partitions {
        let newest = stored.iter().rev().find(|checkpoint| checkpoint.partition == partition);
        match newest.map(|checkpoint| &checkpoint.manifest) {
            Some(Ok(manifest)) => bytes += manifest.state_byte_count(),
            _ => {
                let place = target.place().to_owned();
                return Err(CheckpointStoreFault::UnreadableSavepoint { place, partition }.into());
            }
        }
    }
    let summary = SavepointSummary {
        savepoint_id: (*id).to_owned(),
        taken_at_ms: clock.wall_now_ms(),
        pipeline_name: job.pipeline_name.clone(),
        topic: job.topic.clone(),
        partition_numbers: partitions.to_vec(),
        total_state_byte_count: bytes,
    };
    let object = summary.encode().map_err(|error| halt_for_failed_savepoint(StoreFault::Failed(share_error(error))))?;
    if !create_or_compare_object(*target, object_names::SAVEPOINT_SUMMARY_OBJECT, &object)
        .map_err(halt_for_failed_savepoint)?
    {
        return Err(halt_for_failed_savepoint(StoreFault::Exists));
    }
    Ok(summary)
}

/// Returns the halt for a savepoint that failed because of the store fault `source`.
fn halt_for_failed_savepoint(source: StoreFault) -> Halt {
    CheckpointStoreFault::SavepointFailed { source }.into()
}

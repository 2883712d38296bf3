//! The store executes a deletion or a creation long after its caller has given up.

use std::collections::BTreeSet;

use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::{HeldOffsets, Offset, WorkerMetrics, WorkerOutcome};

use crate::support::parking_job::{FaultyStore, ParkingJob, TopicState, step};

/// Returns the manifests of partition 0 with the names of their objects, oldest first.
fn read_manifests(store: &FaultyStore) -> Vec<(String, CheckpointManifest)> {
    let read = |name: String| {
        let manifest = CheckpointManifest::decode(&store.objects.lock()[&name]).expect("a manifest");
        (name, manifest)
    };
    store.list_names("partition-0/checkpoint/").into_iter().map(read).collect()
}

fn list_state_objects(manifest: &CheckpointManifest) -> BTreeSet<String> {
    manifest.layers.iter().flat_map(|layer| &layer.parts).map(|part| part.object_name.clone()).collect()
}

fn is_whole(store: &FaultyStore, manifest: &CheckpointManifest) -> bool {
    list_state_objects(manifest).iter().all(|name| store.objects.lock().contains_key(name))
}

/// Lets the log of partition 0 lose the records from `end_offset` on, and runs the job until the partition has gone back.
/// No checkpoint follows.
fn go_back_behind_loss(job: &ParkingJob, end_offset: Offset) {
    {
        let mut state = job.state.lock();
        state.held_offsets.insert(0, HeldOffsets { first_offset: 0, end_offset });
        state.allows_lost_offsets = true;
        state.row_starts.clear();
    }
    let is_open = |state: &TopicState, _: &WorkerMetrics| state.positions.contains_key(&0);
    let lose_store = |_: &mut TopicState, store: &FaultyStore| store.refuse_folder(Some("partition-0"));
    let outcome = job.run(vec![step("the partition is open", is_open, lose_store)]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::StoppedWithoutCheckpoint);
    job.store.refuse_folder(None);
}

/// The oldest kept checkpoint may have been deleted by an earlier owner, whose call has not taken effect yet. A partition
/// that goes back to this checkpoint must not depend on its objects.
#[test]
fn a_late_deletion_leaves_the_checkpoint_behind_lost_records_readable() {
    let job = ParkingJob { assigned: vec![0], ..ParkingJob::new() };
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 20;
    job.run(vec![step("several checkpoints", is_read, |_, _| {})]).expect("no halt");
    let (oldest_name, oldest) = read_manifests(&job.store).swap_remove(0);
    let mut deleted_later = list_state_objects(&oldest);
    deleted_later.insert(oldest_name);
    go_back_behind_loss(&job, oldest.offset);
    let newest = read_manifests(&job.store).pop().expect("a checkpoint").1;
    assert_eq!(newest.offset, oldest.offset, "the partition went back to the oldest checkpoint");
    job.store.objects.lock().retain(|name, _| !deleted_later.contains(name));
    assert!(is_whole(&job.store, &newest), "{newest:?}");
    let continues = |state: &TopicState, _: &WorkerMetrics| state.row_count(0) > 20;
    let outcome = job.run(vec![step("the partition continues", continues, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

/// The late deletion takes effect while the state objects are copied. The next best checkpoint is restored then.
#[test]
fn a_deletion_during_the_copy_leads_to_the_checkpoint_before() {
    let mut job = ParkingJob { assigned: vec![0], ..ParkingJob::new() };
    job.config.kept_checkpoints_per_partition = 10;
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 80;
    job.run(vec![step("several checkpoints", is_read, |_, _| {})]).expect("no halt");
    let manifests: Vec<_> = read_manifests(&job.store).into_iter().map(|(_, manifest)| manifest).collect();
    let mut pairs = manifests[..manifests.len() - 1].windows(2);
    let pair = pairs.find(|pair| pair[1].layers.len() > 1).expect("a checkpoint with a delta");
    let deleted = pair[1].layers.last().and_then(|layer| layer.parts.last()).expect("state").object_name.clone();
    *job.store.handler.deleted_in_epoch_2.lock() = Some(deleted);
    go_back_behind_loss(&job, pair[1].offset);
    let newest = read_manifests(&job.store).pop().expect("a checkpoint").1;
    assert_eq!(newest.checkpoint_id.epoch, 2, "{newest:?}");
    assert_eq!(newest.offset, pair[0].offset, "the partition went back to the checkpoint before");
    assert!(is_whole(&job.store, &newest), "{newest:?}");
    let continues = |state: &TopicState, _: &WorkerMetrics| state.row_count(0) > 20;
    let outcome = job.run(vec![step("the partition continues", continues, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

/// The creation of a manifest has failed, and takes effect after the next checkpoint has deleted its state. It must not
/// replace a readable checkpoint.
#[test]
fn a_late_manifest_replaces_no_readable_checkpoint() {
    let mut job = ParkingJob { assigned: vec![0], ..ParkingJob::new() };
    // More than the checkpoints of the second run, so it does not delete the late manifest as too old.
    job.config.kept_checkpoints_per_partition = 10;
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 80;
    let refuse = |_: &mut TopicState, store: &FaultyStore| store.refuse_folder(Some("partition-0/checkpoint"));
    let fails = |_: &TopicState, metrics: &WorkerMetrics| metrics.checkpoint_metrics.failed_checkpoints.get() > 0;
    let outcome = job.run(vec![
        step("several checkpoints", is_read, refuse),
        step("a checkpoint fails", fails, |_, store| store.refuse_folder(None)),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.store.objects.lock().append(&mut job.store.handler.uncreated.lock());
    let is_damaged = |(_, manifest): &(String, CheckpointManifest)| !is_whole(&job.store, manifest);
    assert!(read_manifests(&job.store).iter().any(is_damaged), "the late manifest names deleted state");

    let committed = job.state.lock().committed_offset(0);
    let is_continued = move |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) > committed;
    let outcome = job.run(vec![step("the next checkpoint", is_continued, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    let kept = read_manifests(&job.store);
    assert_eq!(kept.len(), job.config.kept_checkpoints_per_partition);
    assert!(!kept.iter().any(is_damaged), "{kept:?}");
}

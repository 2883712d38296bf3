//! A partition with a fault of its own is parked, the other partitions continue, and it is opened again later.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::checkpoint::{CurrentSavepointRequest, PartitionFaultPolicy, SavepointParameters, take_savepoint};
use windrow_engine::halt::{CheckpointStoreFault, DamagedState, LostOffset};
use windrow_engine::{
    CheckpointStore, CheckpointStoreOpener, Clock, Halt, HeldOffsets, OsThreadSpawner, PollOutcome, StopSignal,
    StoreFault, SystemClock, WorkerMetrics, WorkerOutcome,
};

use crate::support::HANG_TIMEOUT;
use crate::support::parking_job::{FaultyStore, ParkingJob, TopicState, is_parked, step};

#[test]
fn a_partition_with_damaged_checkpoints_is_parked_until_they_are_repaired() {
    let job = ParkingJob::new();
    job.run_until_checkpoints();
    job.store.damage_checkpoints(0);
    let objects = job.store.checkpoints_and_state(0);
    let rows = job.state.lock().row_count(0);
    let end = job.state.lock().committed_offset(1);
    let mut attempts = Vec::new();
    let fault_lasts = move |state: &TopicState, metrics: &WorkerMetrics| {
        let Some(parked) = metrics.parked_partitions.list_parked().remove(&0) else { return false };
        assert!(matches!(parked.fault, Halt::DamagedState(DamagedState::NoReadableCheckpoint { partition: 0, .. })));
        assert_eq!(state.row_count(0), rows, "a parked partition writes nothing");
        let retry_delay_ms = i64::try_from(parked.retry_delay.as_millis()).expect("minutes");
        if attempts.last().is_none_or(|&(attempted_at_ms, _)| attempted_at_ms != parked.attempted_at_ms) {
            attempts.push((parked.attempted_at_ms, retry_delay_ms));
        }
        assert_eq!(parked.parked_at_ms, attempts[0].0);
        if attempts.len() == 4 && state.committed_offset(1) > end + 20 {
            let planned: Vec<i64> = attempts.iter().map(|&(_, retry_delay_ms)| retry_delay_ms).collect();
            assert_eq!(planned, [5_000, 10_000, 20_000, 40_000]);
            // The worker's clock goes on while the opening thread works, so an attempt may end later.
            for pair in attempts.windows(2) {
                assert!(pair[1].0 - pair[0].0 >= pair[0].1, "{attempts:?}");
            }
            return true;
        }
        false
    };
    let repair = move |_: &mut TopicState, store: &FaultyStore| {
        assert_eq!(store.checkpoints_and_state(0), objects, "the checkpoints of a parked partition stay as they are");
        store.repair_checkpoints();
    };
    let continues = |state: &TopicState, metrics: &WorkerMetrics| {
        !is_parked(metrics, 0) && state.committed_offset(0) > 40 && state.row_count(0) > 40
    };
    let outcome = job.run(vec![
        step("four failed attempts, while the other partition takes checkpoints", fault_lasts, repair),
        step("the repaired partition continues", continues, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.assert_rows_are_complete(0);
    job.assert_rows_are_complete(1);
}

#[test]
fn a_worker_whose_partitions_are_all_parked_keeps_running() {
    let job = ParkingJob::new();
    job.run_until_checkpoints();
    job.store.damage_checkpoints(0);
    job.store.damage_checkpoints(1);
    let all_parked = |_: &TopicState, metrics: &WorkerMetrics| is_parked(metrics, 0) && is_parked(metrics, 1);
    let all_read = |_: &TopicState, metrics: &WorkerMetrics| metrics.parked_partitions.list_parked().is_empty();
    let outcome = job.run(vec![
        step("both partitions are parked", all_parked, |_, store| store.repair_checkpoints()),
        step("both partitions continue", all_read, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

#[test]
fn a_parked_partition_is_released_at_once_when_the_group_revokes_it() {
    let job = ParkingJob::new();
    job.run_until_checkpoints();
    job.store.damage_checkpoints(0);
    let revoked_at = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&revoked_at);
    let revoke = move |state: &mut TopicState, _: &FaultyStore| {
        *noted.lock() = Some(state.polls);
        state.outcomes.push_back(PollOutcome::Revoked(vec![0]));
    };
    let is_released = move |state: &TopicState, metrics: &WorkerMetrics| {
        let polls = state.polls - revoked_at.lock().expect("it is revoked");
        assert!(polls < 100, "not released after {polls} polls");
        if state.released.contains(&0) {
            assert!(polls <= 3, "released after {polls} polls");
        }
        state.released.contains(&0) && !is_parked(metrics, 0)
    };
    let outcome = job.run(vec![
        step("the partition is parked", |_, metrics| is_parked(metrics, 0), revoke),
        step("the partition is released", is_released, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

#[test]
fn a_job_that_demands_it_halts_for_a_fault_of_one_partition() {
    let mut job = ParkingJob::new();
    job.config.partition_fault_policy = PartitionFaultPolicy::Halt;
    job.run_until_checkpoints();
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.positions.contains_key(&0);
    let lose = |state: &mut TopicState, _: &FaultyStore| {
        state.held_offsets.insert(0, HeldOffsets { first_offset: 500, end_offset: 600 });
        state.lose_offset(0);
    };
    let never = |_: &TopicState, _: &WorkerMetrics| false;
    let halt = job.run(vec![step("it is read", is_read, lose), step("never", never, |_, _| {})]);
    assert!(matches!(halt, Err(Halt::LostOffset(LostOffset { partition: 0, .. }))), "{halt:?}");
    let halt = job.run(vec![step("never", never, |_, _| {})]);
    assert!(matches!(halt, Err(Halt::LostOffset(_))), "at the start: {halt:?}");
    job.store.damage_checkpoints(0);
    let halt = job.run(vec![step("never", never, |_, _| {})]);
    assert!(matches!(halt, Err(Halt::DamagedState(_))), "{halt:?}");
}

/// Opens the store of a savepoint.
#[derive(Debug)]
struct SavepointStore(Arc<FaultyStore>);

impl CheckpointStoreOpener for SavepointStore {
    fn open_store(&self, _: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault> {
        Ok(Arc::<FaultyStore>::clone(&self.0))
    }
}

/// A savepoint would lack the parked partition, so it fails at once and names the partition.
#[test]
fn a_savepoint_fails_while_a_partition_is_parked() {
    let mut job = ParkingJob::new();
    job.run_until_checkpoints();
    job.store.damage_checkpoints(0);
    let (target, polling_stop) = (Arc::new(FaultyStore::default()), StopSignal::default());
    let checkpoint_store: Arc<dyn CheckpointStore> = Arc::<FaultyStore>::clone(&job.store);
    let opener = Arc::new(SavepointStore(Arc::clone(&target)));
    job.config.current_savepoint_request = CurrentSavepointRequest::start_polling_thread(
        checkpoint_store,
        opener,
        SystemClock::start_shared(),
        &OsThreadSpawner,
        polling_stop.clone(),
    )
    .expect("a thread");
    let outcome = Arc::new(Mutex::new(None));
    let (noted, savepoint_target) = (Arc::clone(&outcome), Arc::clone(&target));
    let checkpoint_store = Arc::clone(&job.store);
    let take = move |_: &mut TopicState, _: &FaultyStore| {
        std::thread::spawn(move || {
            let taken = take_savepoint(
                SavepointParameters {
                    checkpoint_store: &*checkpoint_store,
                    target_store: &*savepoint_target,
                    savepoint_id: "s",
                    confirmation_timeout: HANG_TIMEOUT,
                    clock: &SystemClock::start(),
                    stop_signal: &StopSignal::default(),
                },
                |_| {},
            );
            *noted.lock() = Some(taken.map(|_| ()));
        });
    };
    let ended = Arc::clone(&outcome);
    let has_ended = move |_: &TopicState, _: &WorkerMetrics| ended.lock().is_some();
    let stopped = job.run(vec![
        step("the partition is parked", |_, metrics| is_parked(metrics, 0), take),
        step("the savepoint has failed", has_ended, |_, _| {}),
    ]);
    polling_stop.request();
    assert_eq!(stopped.expect("no halt"), WorkerOutcome::Stopped);
    let refused = outcome.lock().take().expect("it has ended").expect_err("it lacks a partition");
    assert!(refused.to_string().contains("partition 0 is parked because of a fault: no checkpoint"), "{refused}");
    assert!(matches!(refused, Halt::CheckpointStore(CheckpointStoreFault::ParkedPartitionInSavepoint { .. })));
    assert!(!target.objects.lock().contains_key("savepoint"), "the savepoint is not complete");
    // The thread of the checkpoints may still delete an answer that came too late.
    let list_left = || job.store.list_names("savepoint/");
    let clock = SystemClock::start();
    let began = clock.monotonic_now();
    while !list_left().is_empty() && clock.monotonic_now() - began < HANG_TIMEOUT {
        clock.sleep(Duration::from_millis(5));
    }
    assert_eq!(list_left(), [""; 0], "the request and the answers are deleted");
}

//! The source has lost the next records of a partition: the partition is parked, at times after a last checkpoint.

use std::sync::Arc;

use parking_lot::Mutex;
use windrow_engine::{HeldOffsets, PollOutcome, WorkerMetrics, WorkerOutcome};

use crate::support::HANG_TIMEOUT;
use crate::support::parking_job::{FaultyStore, ParkingJob, TopicState, is_parked, step};

#[test]
fn a_partition_that_loses_its_offset_goes_back_to_its_checkpoint_once_the_source_has_it_again() {
    let job = ParkingJob::new();
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 10;
    let lose = |state: &mut TopicState, _: &FaultyStore| {
        state.held_offsets.insert(0, HeldOffsets { first_offset: 500, end_offset: 600 });
        state.lose_offset(0);
    };
    let others_continue = |state: &TopicState, metrics: &WorkerMetrics| {
        let parked = metrics.parked_partitions.list_parked().remove(&0);
        let is_retried = parked.is_some_and(|parked| parked.attempted_at_ms > parked.parked_at_ms + 10_000);
        is_retried && state.committed_offset(1) > 40
    };
    let restore = |state: &mut TopicState, _: &FaultyStore| {
        state.held_offsets.insert(0, HeldOffsets { first_offset: 0, end_offset: 600 });
    };
    let continues = |state: &TopicState, metrics: &WorkerMetrics| !is_parked(metrics, 0) && state.row_count(0) > 40;
    let outcome = job.run(vec![
        step("a checkpoint of the partition", is_read, lose),
        step("the other partition continues, and the fault lasts", others_continue, restore),
        step("the partition continues", continues, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    let state = job.state.lock();
    let mut starts = state.row_starts[&0].clone();
    starts.sort_unstable();
    starts.dedup();
    let expected: Vec<i64> = (0_i64..).map(|number| number * 1_000).take(starts.len()).collect();
    assert_eq!(starts, expected, "no window is left out");
}

/// The records of the state since the last checkpoint are deleted too, so no later attempt could read them again.
#[test]
fn a_partition_whose_next_records_are_deleted_is_parked_after_a_last_checkpoint() {
    let mut job = ParkingJob::new();
    job.config.checkpoint_interval = HANG_TIMEOUT;
    job.run_until_next_records_are_deleted();
    job.assert_parked_with_whole_state();
    job.assert_rows_are_complete(0);
}

/// A last checkpoint that fails is taken again: parking would drop its state.
#[test]
fn the_last_checkpoint_before_a_parking_is_repeated_until_the_store_accepts_it() {
    let job = ParkingJob::new();
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 10;
    let lose = |state: &mut TopicState, store: &FaultyStore| {
        store.refuse_folder(Some("partition-0/state"));
        state.delete_next_records(0);
    };
    let fails_often = |_: &TopicState, metrics: &WorkerMetrics| {
        assert!(!is_parked(metrics, 0), "its state would be dropped");
        metrics.checkpoint_metrics.failed_checkpoints.get() >= 3
    };
    let allow = |_: &mut TopicState, store: &FaultyStore| store.refuse_folder(None);
    let outcome = job.run(vec![
        step("a checkpoint of the partition", is_read, lose),
        step("the last checkpoint fails", fails_often, allow),
        step("the partition is parked", |_, metrics| is_parked(metrics, 0), |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.assert_parked_with_whole_state();
}

/// A partition that takes its last checkpoint before it is parked delays no revocation: neither its own, nor another's.
#[test]
fn partitions_are_released_while_one_waits_for_its_last_checkpoint() {
    for revoked in [0, 1] {
        let job = ParkingJob::new();
        let is_read = |state: &TopicState, _: &WorkerMetrics| (0..2).all(|one| state.committed_offset(one) >= 10);
        let lose = |state: &mut TopicState, store: &FaultyStore| {
            store.refuse_folder(Some("partition-0/state"));
            state.delete_next_records(0);
        };
        let (revoked_at, noted) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
        let revoked_at_poll = Arc::clone(&revoked_at);
        let revoke = move |state: &mut TopicState, store: &FaultyStore| {
            if revoked == 0 {
                store.refuse_folder(None);
            }
            *revoked_at_poll.lock() = Some(state.polls);
            state.outcomes.push_back(PollOutcome::Revoked(vec![revoked]));
        };
        let noted_by_step = Arc::clone(&noted);
        let is_released = move |state: &TopicState, _: &WorkerMetrics| {
            *noted_by_step.lock() = Some(state.polls - revoked_at.lock().expect("it is revoked"));
            state.released.contains(&revoked)
        };
        let outcome = job.run(vec![
            step("checkpoints of both partitions", is_read, lose),
            step(
                "the last checkpoint fails",
                |_, metrics| metrics.checkpoint_metrics.failed_checkpoints.get() > 0,
                revoke,
            ),
            step("the partition is released", is_released, |_, store| store.refuse_folder(None)),
        ]);
        assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
        // A release without a last checkpoint takes 75 polls, which are 15 s.
        let polls = noted.lock().expect("it is released");
        assert!(polls < 70, "partition {revoked} is released after {polls} polls");
        job.assert_rows_are_complete(revoked);
        let committed = job.state.lock().committed_offset(0);
        assert_eq!(committed, job.state.lock().held_offsets[&0].first_offset - 100, "with a last checkpoint");
    }
}

/// The source may receive other records at the lost offsets. The state includes the lost ones, so the partition must not
/// continue as if nothing was lost.
#[test]
fn a_partition_that_lost_read_records_stays_parked_although_it_grows_again() {
    let job = ParkingJob::new();
    let is_read = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) >= 10;
    let lose = |state: &mut TopicState, _: &FaultyStore| {
        state.held_offsets.insert(0, HeldOffsets { first_offset: 0, end_offset: 5 });
        state.lose_offset(0);
        state.held_offsets.insert(0, HeldOffsets { first_offset: 0, end_offset: 1_000 });
    };
    let is_retried = |_: &TopicState, metrics: &WorkerMetrics| {
        let parked = metrics.parked_partitions.list_parked().remove(&0);
        parked.is_some_and(|parked| parked.attempted_at_ms > parked.parked_at_ms + 30_000)
    };
    let verify = |state: &mut TopicState, _: &FaultyStore| assert!(!state.positions.contains_key(&0), "it is not read");
    let outcome = job
        .run(vec![step("a checkpoint of the partition", is_read, lose), step("several attempts", is_retried, verify)]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    assert!(is_parked(&job.metrics, 0));
}

//! The checkpoint store refuses partitions or has lost their checkpoints: they are parked, or the job halts.

use std::sync::Arc;
use std::time::Duration;

use windrow_engine::halt::{CheckpointStoreFault, DamagedState};
use windrow_engine::{
    ClaimOutcome, Halt, HeldOffsets, NoRowFence, OpeningAbandonment, Partition, PartitionClaim, PollOutcome, RowFence,
    WorkerMetrics, WorkerOutcome,
};

use crate::support::memory_store::StoreCall;
use crate::support::parking_job::{FaultyStore, ParkingJob, TopicState, is_parked, step};

#[test]
fn a_folder_that_the_store_refuses_parks_its_partition() {
    let job = ParkingJob::new();
    job.store.refuse_folder(Some("partition-0"));
    let others_continue =
        |state: &TopicState, metrics: &WorkerMetrics| is_parked(metrics, 0) && state.committed_offset(1) > 10;
    let allow = |_: &mut TopicState, store: &FaultyStore| store.refuse_folder(None);
    let continues = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) > 10;
    let outcome = job.run(vec![
        step("the other partition takes checkpoints", others_continue, allow),
        step("the partition continues", continues, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.assert_rows_are_complete(0);
}

/// A halt would take the other partitions of the job down: each process that owns this one would halt.
#[test]
fn a_process_whose_only_partition_is_refused_parks_it() {
    let mut job = ParkingJob::new();
    job.assigned = vec![0];
    job.store.refuse_folder(Some("partition-0"));
    let continues = |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) > 10;
    let outcome = job.run(vec![
        step("it is parked", |_, metrics| is_parked(metrics, 0), |_, store| store.refuse_folder(None)),
        step("the partition continues", continues, |_, _| {}),
    ]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.assert_rows_are_complete(0);
    assert_eq!(job.store.list_names("store-probe"), [""; 0], "the object of the probe is deleted");
}

#[test]
fn partitions_that_are_refused_alone_are_all_parked() {
    let job = ParkingJob::new();
    job.store.refuse_folder(Some("partition-"));
    let all_parked = |_: &TopicState, metrics: &WorkerMetrics| is_parked(metrics, 0) && is_parked(metrics, 1);
    let outcome = job.run(vec![step("both are parked", all_parked, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

/// Wrong credentials, a bucket that does not exist, a file system that is read-only.
#[test]
fn a_store_that_refuses_every_partition_halts_the_job() {
    for assigned in [vec![0, 1], vec![0]] {
        let mut job = ParkingJob::new();
        job.assigned = assigned;
        job.store.refuse_folder(Some(""));
        let halt = job.run_until_halt();
        assert!(matches!(halt, Halt::CheckpointStore(CheckpointStoreFault::Refused { .. })), "{halt}");
    }
}

/// The credentials expire while the job runs. What is open continues, and only openings fail.
#[test]
fn a_store_that_refuses_everything_later_halts_the_job_once_no_partition_is_open() {
    let job = ParkingJob::new();
    let is_read = |state: &TopicState, _: &WorkerMetrics| (0..2).all(|one| state.committed_offset(one) >= 10);
    let expire = |state: &mut TopicState, store: &FaultyStore| {
        store.refuse_folder(Some(""));
        state.outcomes.extend([PollOutcome::Revoked(vec![0]), PollOutcome::Assigned(vec![0])]);
    };
    let mut rows_before = None;
    let is_one_read_on = move |state: &TopicState, metrics: &WorkerMetrics| {
        if !is_parked(metrics, 0) {
            return false;
        }
        let before = *rows_before.get_or_insert_with(|| state.row_count(1));
        state.row_count(1) > before + 100 && metrics.checkpoint_metrics.failed_checkpoints.get() > 3
    };
    let revoke = |state: &mut TopicState, _: &FaultyStore| state.outcomes.push_back(PollOutcome::Revoked(vec![1]));
    let halt = job
        .run(vec![
            step("checkpoints of both partitions", is_read, expire),
            step("one is parked, and the other is read on without checkpoints", is_one_read_on, revoke),
            step("a halt", |_, _| false, |_, _| {}),
        ])
        .expect_err("no partition can be opened");
    assert!(matches!(halt, Halt::CheckpointStore(CheckpointStoreFault::Refused { .. })), "{halt}");
}

/// A fence with the rows of earlier runs of some partitions, whose checkpoints are gone.
struct FenceOfEarlierRuns {
    partitions: Vec<Partition>,
}

impl RowFence for FenceOfEarlierRuns {
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        if self.partitions.contains(&claim.partition) {
            Ok(ClaimOutcome::Stale(50))
        } else {
            NoRowFence.claim_partition(claim, abandonment)
        }
    }
}

/// The disk with the checkpoints is not mounted.
#[test]
fn a_store_without_the_checkpoints_of_every_partition_halts_the_job() {
    for assigned in [vec![0, 1], vec![0]] {
        let mut job = ParkingJob::new();
        job.assigned = assigned;
        job.config.row_fence = Arc::new(FenceOfEarlierRuns { partitions: vec![0, 1] });
        let halt = job.run_until_halt();
        assert!(matches!(halt, Halt::DamagedState(DamagedState::MissingCheckpoint { .. })), "{halt}");
    }
}

/// A wrong bucket or prefix. The clock stands still, so each partition is opened once.
#[test]
fn a_store_without_any_checkpoint_is_listed_a_few_times_per_partition() {
    const PARTITION_COUNT: Partition = 32;
    /// As many openings of one worker list a folder at the same time.
    const MAX_LISTS_PER_PARTITION: usize = 8;
    let mut job = ParkingJob::new();
    job.assigned = (0..PARTITION_COUNT).collect();
    job.config.state_identity.partition_count = PARTITION_COUNT;
    job.config.row_fence = Arc::new(FenceOfEarlierRuns { partitions: job.assigned.clone() });
    {
        let mut state = job.state.lock();
        state.poll_interval = Duration::ZERO;
        let held = HeldOffsets { first_offset: 0, end_offset: 0 };
        state.held_offsets = job.assigned.iter().map(|&partition| (partition, held)).collect();
    }
    let halt = job.run_until_halt();
    assert!(matches!(halt, Halt::DamagedState(DamagedState::MissingCheckpoint { .. })), "{halt}");
    let list_counts = job.store.count_calls(StoreCall::List, "/checkpoint/");
    assert_eq!(list_counts.len(), job.assigned.len(), "each partition is searched: {list_counts:?}");
    assert!(list_counts.values().all(|&count| count <= MAX_LISTS_PER_PARTITION), "{list_counts:?}");
}

/// The store holds checkpoints of a partition that another process owns, so it is the right store.
#[test]
fn a_process_whose_only_partition_lacks_its_checkpoints_parks_it() {
    let mut job = ParkingJob::new();
    job.run_until_checkpoints();
    job.store.objects.lock().retain(|name, _| !name.starts_with("partition-0/"));
    job.config.row_fence = Arc::new(FenceOfEarlierRuns { partitions: vec![0] });
    job.assigned = vec![0];
    let outcome = job.run(vec![step("it is parked", |_, metrics| is_parked(metrics, 0), |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
}

#[test]
fn a_partition_without_its_checkpoints_is_parked_beside_healthy_ones() {
    let mut job = ParkingJob::new();
    job.config.row_fence = Arc::new(FenceOfEarlierRuns { partitions: vec![0] });
    let others_continue =
        |state: &TopicState, metrics: &WorkerMetrics| is_parked(metrics, 0) && state.committed_offset(1) > 10;
    let outcome = job.run(vec![step("the other partition takes checkpoints", others_continue, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    let parked = job.metrics.parked_partitions.list_parked().remove(&0).expect("it is parked");
    assert!(matches!(parked.fault, Halt::DamagedState(DamagedState::MissingCheckpoint { .. })), "{}", parked.fault);
}

//! A partition with a fault of its own is parked, the other partitions continue, and it is opened again later.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::checkpoint::{CurrentSavepointRequest, PartitionFaultPolicy, SavepointParameters, take_savepoint};
use windrow_engine::halt::{CheckpointStoreFault, DamagedState, LostOffset, share_error};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, CheckpointStoreOpener, ClaimOutcome, Clock, CommitWait, FenceToken, FlushTicket,
    Halt, HeldOffsets, ManualClock, NoDeadLetterSink, NoRowFence, Offset, OpeningAbandonment, OsThreadSpawner,
    Partition, PartitionClaim, PartitionOffsets, PollOutcome, RowFence, Sink, Source, SourceRecord, StartOffset,
    StartOffsets, StopSignal, StoreFault, SystemClock, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryObjects, MemoryStore, StoreCall, StoreCallHandler};
use crate::support::test_job::{checkpoint_config, counting_job, record_without_key};

/// The virtual time that passes with each poll.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The log of the topic and what the worker has done, which the script of a test sees and changes.
struct TopicState {
    clock: ManualClock,
    /// The offsets that each partition holds.
    held_offsets: BTreeMap<Partition, HeldOffsets>,
    /// The partitions that the worker reads, with the next offset of each.
    positions: PartitionOffsets,
    committed: PartitionOffsets,
    released: Vec<Partition>,
    /// The outcomes of the next polls.
    outcomes: VecDeque<PollOutcome>,
    /// The first event times of the rows of each partition, in the order of writing.
    row_starts: BTreeMap<Partition, Vec<i64>>,
    polls: u32,
}

impl TopicState {
    fn new() -> Self {
        let held = HeldOffsets { first_offset: 0, end_offset: 0 };
        Self {
            clock: ManualClock::starting_at(0),
            held_offsets: BTreeMap::from([(0, held), (1, held)]),
            positions: PartitionOffsets::new(),
            committed: PartitionOffsets::new(),
            released: Vec::new(),
            outcomes: VecDeque::new(),
            row_starts: BTreeMap::new(),
            polls: 0,
        }
    }

    fn committed_offset(&self, partition: Partition) -> Offset {
        self.committed.get(&partition).copied().unwrap_or(0)
    }

    fn row_count(&self, partition: Partition) -> usize {
        self.row_starts.get(&partition).map_or(0, Vec::len)
    }

    /// Deletes the next hundred records of `partition`, and reports it.
    fn delete_next_records(&mut self, partition: Partition) {
        let lost_offset = self.positions[&partition];
        let held = HeldOffsets { first_offset: lost_offset + 100, end_offset: lost_offset + 200 };
        self.held_offsets.insert(partition, held);
        self.lose_offset(partition);
    }

    /// Stops reading `partition`, and reports that its next offset is lost.
    fn lose_offset(&mut self, partition: Partition) {
        let held = self.held_offsets[&partition];
        let lost_offset = self.positions.remove(&partition).expect("it is read");
        self.outcomes.push_back(PollOutcome::OffsetsLost(vec![describe_loss(partition, lost_offset, held)]));
    }
}

fn describe_loss(partition: Partition, lost_offset: Offset, held: HeldOffsets) -> LostOffset {
    LostOffset {
        topic: "events".to_owned(),
        partition,
        lost_offset,
        first_kept_offset: held.first_offset,
        end_offset: held.end_offset,
    }
}

type StepCondition = dyn FnMut(&TopicState, &WorkerMetrics) -> bool;
type StepAction = dyn FnOnce(&mut TopicState, &FaultyStore);

/// A step of a script: when its condition is true, its action follows.
struct FaultStep {
    name: &'static str,
    is_due: Box<StepCondition>,
    action: Box<StepAction>,
}

fn step(
    name: &'static str,
    is_due: impl FnMut(&TopicState, &WorkerMetrics) -> bool + 'static,
    action: impl FnOnce(&mut TopicState, &FaultyStore) + 'static,
) -> FaultStep {
    FaultStep { name, is_due: Box::new(is_due), action: Box::new(action) }
}

fn is_parked(metrics: &WorkerMetrics, partition: Partition) -> bool {
    metrics.parked_partitions.list_parked().contains_key(&partition)
}

/// Delivers one record of each partition per poll, and stops the worker after the last step of the script.
struct TopicSource {
    state: Arc<Mutex<TopicState>>,
    steps: VecDeque<FaultStep>,
    store: Arc<FaultyStore>,
    metrics: Arc<WorkerMetrics>,
    stop: StopSignal,
    real_clock: SystemClock,
}

impl Source for TopicSource {
    fn poll(
        &mut self,
        _: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        // The threads that open partitions and write checkpoints run in real time.
        self.real_clock.sleep(Duration::from_millis(1));
        let mut state = self.state.lock();
        state.polls += 1;
        state.clock.advance(POLL_INTERVAL);
        match self.steps.front_mut().map(|step| (step.is_due)(&state, &self.metrics)) {
            Some(true) => {
                let step = self.steps.pop_front().expect("it is there");
                (step.action)(&mut state, &self.store);
            }
            Some(false) => {
                assert!(self.real_clock.monotonic_now() < HANG_TIMEOUT, "waits for: {}", self.steps[0].name);
            }
            None => self.stop.request(),
        }
        if let Some(outcome) = state.outcomes.pop_front() {
            return Ok(outcome);
        }
        let due: Vec<(Partition, Offset)> = state.positions.iter().map(|(&partition, &at)| (partition, at)).collect();
        drop(state);
        for (partition, offset) in due {
            // Each record closes the window of the record before.
            let payload = format!(r#"{{"user_id":"u","event_time":{}}}"#, offset * 1_000);
            on_record(record_without_key(partition, offset, payload.as_bytes()))?;
            let mut state = self.state.lock();
            state.positions.insert(partition, offset + 1);
            let held = state.held_offsets.get_mut(&partition).expect("a partition");
            held.end_offset = held.end_offset.max(offset + 1);
        }
        Ok(PollOutcome::Records)
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt> {
        let state = self.state.lock();
        let mut starts = StartOffsets::default();
        for partition in partitions {
            let held = state.held_offsets[partition];
            let offset = offsets.get(partition).copied().unwrap_or(held.first_offset);
            if held.contains_offset(offset) {
                starts.start_by_partition.insert(*partition, StartOffset { offset, held_offsets: Some(held) });
            } else {
                starts.lost_offsets.insert(*partition, describe_loss(*partition, offset, held));
            }
        }
        Ok(starts)
    }

    fn accept_assignment(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        for partition in partitions {
            self.state.lock().positions.insert(*partition, starts.get(partition).copied().expect("known"));
        }
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn stop_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.state.lock().positions.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        let mut state = self.state.lock();
        state.positions.retain(|partition, _| !partitions.contains(partition));
        state.released.extend(partitions);
        Ok(())
    }

    fn commit_offsets(&mut self, offsets: &PartitionOffsets, _: CommitWait) -> Result<(), Halt> {
        self.state.lock().committed.extend(offsets);
        Ok(())
    }
}

/// Keeps the first event time of each row.
struct RowStarts(Arc<Mutex<TopicState>>);

impl Sink for RowStarts {
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>) {
        let starts = &mut self.0.lock().row_starts;
        starts.entry(fence_token.partition).or_default().push(row.window.start.ms());
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        Ok(FlushTicket(0))
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        FlushTicket(0)
    }

    fn wait_for_ticket(&mut self, _: FlushTicket, _: Duration) -> Result<bool, Halt> {
        Ok(true)
    }
}

/// The faults of a store.
#[derive(Debug, Default)]
struct StoreFaults {
    /// The contents of damaged objects before their damage.
    undamaged: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The store refuses each call for an object whose name begins so.
    refused_folder: Mutex<Option<String>>,
}

impl StoreCallHandler for StoreFaults {
    fn handle_call(&self, _: &MemoryObjects, _: StoreCall, name: &str) -> Result<(), StoreFault> {
        match &*self.refused_folder.lock() {
            Some(folder) if name.starts_with(folder) => Err(StoreFault::Refused(share_error("permission denied"))),
            _ => Ok(()),
        }
    }
}

type FaultyStore = MemoryStore<StoreFaults>;

impl FaultyStore {
    /// Damages all checkpoints of `partition`.
    fn damage_checkpoints(&self, partition: Partition) {
        let folder = format!("partition-{partition}/checkpoint/");
        let (mut objects, mut undamaged) = (self.objects.lock(), self.handler.undamaged.lock());
        for (name, bytes) in objects.iter_mut().filter(|(name, _)| name.starts_with(&folder)) {
            undamaged.insert(name.clone(), std::mem::replace(bytes, b"damaged".to_vec()));
        }
        assert!(!undamaged.is_empty(), "there are checkpoints");
    }

    fn repair_checkpoints(&self) {
        self.objects.lock().append(&mut self.handler.undamaged.lock());
    }

    /// Refuses all calls for objects whose names begin with `folder`; `None` refuses none.
    fn refuse_folder(&self, folder: Option<&str>) {
        *self.handler.refused_folder.lock() = folder.map(str::to_owned);
    }

    /// Returns the checkpoints and the state of `partition`, without epochs.
    fn checkpoints_and_state(&self, partition: Partition) -> BTreeMap<String, Vec<u8>> {
        let folders = ["checkpoint", "state"].map(|kind| format!("partition-{partition}/{kind}/"));
        let objects = self.objects.lock();
        let is_kept = |name: &str| folders.iter().any(|folder| name.starts_with(folder));
        objects.iter().filter(|(name, _)| is_kept(name)).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    }
}

/// A job over two partitions, and what outlives its runs.
struct ParkingJob {
    state: Arc<Mutex<TopicState>>,
    store: Arc<FaultyStore>,
    metrics: Arc<WorkerMetrics>,
    config: CheckpointConfig,
    /// The partitions that the group assigns to the process.
    assigned: Vec<Partition>,
}

impl ParkingJob {
    fn new() -> Self {
        let store = Arc::new(FaultyStore::default());
        let config = checkpoint_config(Arc::<FaultyStore>::clone(&store));
        let state = Arc::new(Mutex::new(TopicState::new()));
        Self { state, store, metrics: WorkerMetrics::new(1), config, assigned: vec![0, 1] }
    }

    fn run(&self, steps: Vec<FaultStep>) -> Result<WorkerOutcome, Halt> {
        {
            let mut state = self.state.lock();
            state.positions.clear();
            state.outcomes = VecDeque::from([PollOutcome::Assigned(self.assigned.clone())]);
        }
        let stop = StopSignal::default();
        let source = TopicSource {
            state: Arc::clone(&self.state),
            steps: steps.into(),
            store: Arc::clone(&self.store),
            metrics: Arc::clone(&self.metrics),
            stop: stop.clone(),
            real_clock: SystemClock::start(),
        };
        let clock = self.state.lock().clock.clone();
        // Each run is a process of its own.
        let config = CheckpointConfig { store_findings: Default::default(), ..self.config.clone() };
        let mut worker = Worker::new(WorkerParts {
            job: counting_job(),
            source,
            sink: RowStarts(Arc::clone(&self.state)),
            dead_letter_sink: NoDeadLetterSink,
            clock: Arc::new(clock),
            checkpoint_config: Some(config),
            stop_signal: stop,
            metrics: Arc::clone(&self.metrics),
        });
        worker.run()
    }

    /// Runs the job until both partitions have checkpoints.
    fn run_until_checkpoints(&self) {
        let have_checkpoints =
            |state: &TopicState, _: &WorkerMetrics| (0..2).all(|partition| state.committed_offset(partition) >= 10);
        self.run(vec![step("checkpoints of both partitions", have_checkpoints, |_, _| {})]).expect("no halt");
    }

    /// Runs the job until it halts.
    fn run_until_halt(&self) -> Halt {
        self.run(vec![step("a halt", |_, _| false, |_, _| {})]).expect_err("nothing stops it")
    }

    /// Runs the job until 50 records of partition 0 are read, and partition 0 is parked because the next ones are deleted.
    fn run_until_next_records_are_deleted(&self) {
        let is_read = |state: &TopicState, _: &WorkerMetrics| state.positions.get(&0) >= Some(&50);
        let outcome = self.run(vec![
            step("records of the partition", is_read, |state, _| state.delete_next_records(0)),
            step("the partition is parked", |_, metrics| is_parked(metrics, 0), |_, _| {}),
        ]);
        assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    }

    /// Asserts that the next records of partition 0 were deleted, and that its checkpoint includes all records before them.
    fn assert_parked_with_whole_state(&self) {
        let parked = self.metrics.parked_partitions.list_parked().remove(&0).expect("it is parked");
        let Halt::LostOffset(LostOffset { lost_offset, .. }) = parked.fault else { unreachable!("{}", parked.fault) };
        assert_eq!(self.state.lock().committed_offset(0), lost_offset, "the last checkpoint includes all records");
    }

    /// Asserts that the rows of `partition` are those of a run without faults: each window once, in order.
    fn assert_rows_are_complete(&self, partition: Partition) {
        let starts = &self.state.lock().row_starts[&partition];
        let expected: Vec<i64> = (0_i64..).map(|number| number * 1_000).take(starts.len()).collect();
        assert_eq!(*starts, expected, "partition {partition}");
    }
}

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

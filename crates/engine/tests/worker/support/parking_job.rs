//! A job over two partitions whose source and store have faults, and the script of its run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::halt::{LostOffset, share_error};
use windrow_engine::{
    CheckpointConfig, Clock, CommitWait, FenceToken, FlushTicket, Halt, HeldOffsets, ManualClock, NoDeadLetterSink,
    Offset, Partition, PartitionOffsets, PollOutcome, Sink, Source, SourceRecord, StartOffset, StartOffsets,
    StopSignal, StoreFault, SystemClock, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryObjects, MemoryStore, StoreCall, StoreCallHandler};
use crate::support::test_job::{checkpoint_config, counting_job, record_without_key};

/// The virtual time that normally passes with each poll.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The log of the topic and what the worker has done, which the script of a test sees and changes.
pub(crate) struct TopicState {
    pub(crate) clock: ManualClock,
    /// The virtual time that passes with each poll.
    pub(crate) poll_interval: Duration,
    /// The offsets that each partition holds.
    pub(crate) held_offsets: BTreeMap<Partition, HeldOffsets>,
    /// The partitions that the worker reads, with the next offset of each.
    pub(crate) positions: PartitionOffsets,
    pub(crate) committed: PartitionOffsets,
    pub(crate) released: Vec<Partition>,
    /// The outcomes of the next polls.
    pub(crate) outcomes: VecDeque<PollOutcome>,
    /// The first event times of the rows of each partition, in the order of writing.
    pub(crate) row_starts: BTreeMap<Partition, Vec<i64>>,
    pub(crate) polls: u32,
    /// Whether the pipeline allows that the log has lost records which were already read.
    pub(crate) allows_lost_offsets: bool,
}

impl TopicState {
    pub(crate) fn new() -> Self {
        let held = HeldOffsets { first_offset: 0, end_offset: 0 };
        Self {
            clock: ManualClock::starting_at(0),
            poll_interval: POLL_INTERVAL,
            held_offsets: BTreeMap::from([(0, held), (1, held)]),
            positions: PartitionOffsets::new(),
            committed: PartitionOffsets::new(),
            released: Vec::new(),
            outcomes: VecDeque::new(),
            row_starts: BTreeMap::new(),
            polls: 0,
            allows_lost_offsets: false,
        }
    }

    pub(crate) fn committed_offset(&self, partition: Partition) -> Offset {
        self.committed.get(&partition).copied().unwrap_or(0)
    }

    pub(crate) fn row_count(&self, partition: Partition) -> usize {
        self.row_starts.get(&partition).map_or(0, Vec::len)
    }

    /// Deletes the next hundred records of `partition`, and reports it.
    pub(crate) fn delete_next_records(&mut self, partition: Partition) {
        let lost_offset = self.positions[&partition];
        let held = HeldOffsets { first_offset: lost_offset + 100, end_offset: lost_offset + 200 };
        self.held_offsets.insert(partition, held);
        self.lose_offset(partition);
    }

    /// Stops reading `partition`, and reports that its next offset is lost.
    pub(crate) fn lose_offset(&mut self, partition: Partition) {
        let held = self.held_offsets[&partition];
        let lost_offset = self.positions.remove(&partition).expect("it is read");
        self.outcomes.push_back(PollOutcome::OffsetsLost(vec![describe_loss(partition, lost_offset, held)]));
    }
}

pub(crate) fn describe_loss(partition: Partition, lost_offset: Offset, held: HeldOffsets) -> LostOffset {
    LostOffset {
        topic: "events".to_owned(),
        partition,
        lost_offset,
        first_kept_offset: held.first_offset,
        end_offset: held.end_offset,
    }
}

pub(crate) type StepCondition = dyn FnMut(&TopicState, &WorkerMetrics) -> bool;
pub(crate) type StepAction = dyn FnOnce(&mut TopicState, &FaultyStore);

/// A step of a script: when its condition is true, its action follows.
pub(crate) struct FaultStep {
    pub(crate) name: &'static str,
    pub(crate) is_due: Box<StepCondition>,
    pub(crate) action: Box<StepAction>,
}

pub(crate) fn step(
    name: &'static str,
    is_due: impl FnMut(&TopicState, &WorkerMetrics) -> bool + 'static,
    action: impl FnOnce(&mut TopicState, &FaultyStore) + 'static,
) -> FaultStep {
    FaultStep { name, is_due: Box::new(is_due), action: Box::new(action) }
}

pub(crate) fn is_parked(metrics: &WorkerMetrics, partition: Partition) -> bool {
    metrics.parked_partitions.list_parked().contains_key(&partition)
}

/// Delivers one record of each partition per poll, and stops the worker after the last step of the script.
pub(crate) struct TopicSource {
    pub(crate) state: Arc<Mutex<TopicState>>,
    pub(crate) steps: VecDeque<FaultStep>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) stop: StopSignal,
    pub(crate) real_clock: SystemClock,
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
        state.clock.advance(state.poll_interval);
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
            } else if state.allows_lost_offsets && offset > held.end_offset {
                starts.truncated_partitions.insert(*partition, held);
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
pub(crate) struct RowStarts(Arc<Mutex<TopicState>>);

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
pub(crate) struct StoreFaults {
    /// The contents of damaged objects before their damage.
    pub(crate) undamaged: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The store refuses each call for an object whose name begins so.
    pub(crate) refused_folder: Mutex<Option<String>>,
    /// An object that disappears when the first state object of epoch 2 is created.
    pub(crate) deleted_in_epoch_2: Mutex<Option<String>>,
    /// The objects whose creation has failed.
    pub(crate) uncreated: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How often the store got each kind of call for each object or folder.
    pub(crate) call_counts: Mutex<BTreeMap<(StoreCall, String), usize>>,
}

impl StoreCallHandler for StoreFaults {
    fn handle_call(&self, objects: &MemoryObjects, call: StoreCall, name: &str) -> Result<(), StoreFault> {
        *self.call_counts.lock().entry((call, name.to_owned())).or_default() += 1;
        if call == StoreCall::Create
            && name.contains("/state/0000000002-")
            && let Some(deleted) = self.deleted_in_epoch_2.lock().take()
        {
            objects.lock().remove(&deleted);
        }
        match &*self.refused_folder.lock() {
            Some(folder) if name.starts_with(folder) => Err(StoreFault::Refused(share_error("permission denied"))),
            _ => Ok(()),
        }
    }

    fn note_failed_creation(&self, name: &str, bytes: Vec<u8>) {
        self.uncreated.lock().insert(name.to_owned(), bytes);
    }
}

pub(crate) type FaultyStore = MemoryStore<StoreFaults>;

impl FaultyStore {
    /// Damages all checkpoints of `partition`.
    pub(crate) fn damage_checkpoints(&self, partition: Partition) {
        self.damage_objects(&self.list_names(&format!("partition-{partition}/checkpoint/")));
    }

    /// Damages the checkpoints of `partition` before the newest.
    pub(crate) fn damage_older_checkpoints(&self, partition: Partition) {
        let mut names = self.list_names(&format!("partition-{partition}/checkpoint/"));
        names.pop();
        self.damage_objects(&names);
    }

    fn damage_objects(&self, names: &[String]) {
        assert!(!names.is_empty(), "there are checkpoints");
        let (mut objects, mut undamaged) = (self.objects.lock(), self.handler.undamaged.lock());
        for (name, bytes) in objects.iter_mut().filter(|(name, _)| names.contains(name)) {
            undamaged.insert(name.clone(), std::mem::replace(bytes, b"damaged".to_vec()));
        }
    }

    pub(crate) fn repair_checkpoints(&self) {
        self.objects.lock().append(&mut self.handler.undamaged.lock());
    }

    /// Refuses all calls for objects whose names begin with `folder`; `None` refuses none.
    pub(crate) fn refuse_folder(&self, folder: Option<&str>) {
        *self.handler.refused_folder.lock() = folder.map(str::to_owned);
    }

    /// Returns how often the store got the `call` for each object or folder whose name contains `part`.
    pub(crate) fn count_calls(&self, call: StoreCall, part: &str) -> BTreeMap<String, usize> {
        let counts = self.handler.call_counts.lock();
        let counted = counts.iter().filter(|((counted, name), _)| *counted == call && name.contains(part));
        counted.map(|((_, name), &count)| (name.clone(), count)).collect()
    }

    /// Returns the checkpoints and the state of `partition`, without epochs.
    pub(crate) fn checkpoints_and_state(&self, partition: Partition) -> BTreeMap<String, Vec<u8>> {
        let folders = ["checkpoint", "state"].map(|kind| format!("partition-{partition}/{kind}/"));
        let objects = self.objects.lock();
        let is_kept = |name: &str| folders.iter().any(|folder| name.starts_with(folder));
        objects.iter().filter(|(name, _)| is_kept(name)).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    }
}

/// A job over two partitions, and what outlives its runs.
pub(crate) struct ParkingJob {
    pub(crate) state: Arc<Mutex<TopicState>>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) config: CheckpointConfig,
    /// The partitions that the group assigns to the process.
    pub(crate) assigned: Vec<Partition>,
}

impl ParkingJob {
    pub(crate) fn new() -> Self {
        let store = Arc::new(FaultyStore::default());
        let config = checkpoint_config(Arc::<FaultyStore>::clone(&store));
        let state = Arc::new(Mutex::new(TopicState::new()));
        Self { state, store, metrics: WorkerMetrics::new(1), config, assigned: vec![0, 1] }
    }

    pub(crate) fn run(&self, steps: Vec<FaultStep>) -> Result<WorkerOutcome, Halt> {
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
    pub(crate) fn run_until_checkpoints(&self) {
        let have_checkpoints =
            |state: &TopicState, _: &WorkerMetrics| (0..2).all(|partition| state.committed_offset(partition) >= 10);
        self.run(vec![step("checkpoints of both partitions", have_checkpoints, |_, _| {})]).expect("no halt");
    }

    /// Runs the job until it halts.
    pub(crate) fn run_until_halt(&self) -> Halt {
        self.run(vec![step("a halt", |_, _| false, |_, _| {})]).expect_err("nothing stops it")
    }

    /// Runs the job until 50 records of partition 0 are read, and partition 0 is parked because the next ones are deleted.
    pub(crate) fn run_until_next_records_are_deleted(&self) {
        let is_read = |state: &TopicState, _: &WorkerMetrics| state.positions.get(&0) >= Some(&50);
        let outcome = self.run(vec![
            step("records of the partition", is_read, |state, _| state.delete_next_records(0)),
            step("the partition is parked", |_, metrics| is_parked(metrics, 0), |_, _| {}),
        ]);
        assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    }

    /// Asserts that the next records of partition 0 were deleted, and that its checkpoint includes all records before them.
    pub(crate) fn assert_parked_with_whole_state(&self) {
        let parked = self.metrics.parked_partitions.list_parked().remove(&0).expect("it is parked");
        let Halt::LostOffset(LostOffset { lost_offset, .. }) = parked.fault else { unreachable!("{}", parked.fault) };
        assert_eq!(self.state.lock().committed_offset(0), lost_offset, "the last checkpoint includes all records");
    }

    /// Asserts that the rows of `partition` are those of a run without faults: each window once, in order.
    pub(crate) fn assert_rows_are_complete(&self, partition: Partition) {
        let starts = &self.state.lock().row_starts[&partition];
        let expected: Vec<i64> = (0_i64..).map(|number| number * 1_000).take(starts.len()).collect();
        assert_eq!(*starts, expected, "partition {partition}");
    }
}

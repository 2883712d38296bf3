//! Partitions that are opened while the checkpoint store hangs.

#[path = "support/scripted_worker.rs"]
mod scripted_worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::{Aggregate, EventSchema, Feature, FeatureView, Row, WindowKind};
use windrow_engine::checkpoint::StateIdentity;
use windrow_engine::{
    CheckpointConfig, CheckpointStore, Clock, DecodeRules, EventDecoder, GroupDeparture, Halt, JobDefinition,
    ListedObject, ManualClock, NoDeadLetterSink, NoRowFence, Partition, PartitionOffsets, PollOutcome,
    RecordPlacementRules, SourceRecord, StopSignal, StoreFault, SystemClock, UnknownLogHistory, Worker, WorkerMetrics,
    WorkerOutcome, WorkerParts,
};

use scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};

/// The longest wait of a test for one step.
const HANG_TIMEOUT: Duration = Duration::from_secs(120);

/// A store in memory whose calls hang for chosen partitions.
#[derive(Debug)]
struct HangingStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    hanging_partitions: Mutex<BTreeSet<Partition>>,
    /// The number of calls that hang now.
    hanging_call_count: Mutex<u32>,
    clock: SystemClock,
}

impl HangingStore {
    fn new(hanging_partitions: &[Partition]) -> Arc<Self> {
        Arc::new(Self {
            objects: Mutex::default(),
            hanging_partitions: Mutex::new(hanging_partitions.iter().copied().collect()),
            hanging_call_count: Mutex::default(),
            clock: SystemClock::start(),
        })
    }

    fn wait_while_hanging(&self, name: &str) {
        let hangs = || self.hanging_partitions.lock().iter().any(|one| name.starts_with(&format!("partition-{one}/")));
        if hangs() {
            *self.hanging_call_count.lock() += 1;
            while hangs() {
                self.clock.sleep(Duration::from_millis(1));
            }
            *self.hanging_call_count.lock() -= 1;
        }
    }

    fn epoch_objects(&self, partition: Partition) -> Vec<String> {
        let folder = format!("partition-{partition}/epoch/");
        self.objects.lock().keys().filter(|name| name.starts_with(&folder)).cloned().collect()
    }
}

impl CheckpointStore for HangingStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.wait_while_hanging(name);
        let mut objects = self.objects.lock();
        if objects.contains_key(name) {
            return Err(StoreFault::Exists);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.wait_while_hanging(name);
        Ok(self.objects.lock().get(name).cloned())
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.wait_while_hanging(&format!("{folder}/"));
        let objects = self.objects.lock();
        let listed = objects.iter().filter(|(name, _)| name.starts_with(folder));
        Ok(listed
            .map(|(name, bytes)| ListedObject { object_name: name.clone(), object_byte_count: bytes.len() as u64 })
            .collect())
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let mut objects = self.objects.lock();
        names.iter().for_each(|name| drop(objects.remove(name)));
        Ok(())
    }

    fn place(&self) -> &str {
        "memory"
    }
}

/// What the worker has told its source.
#[derive(Clone, PartialEq, Eq, Debug)]
enum SourceCall {
    Accepted(Vec<Partition>),
    Started(Vec<Partition>),
    Released(Vec<Partition>),
    LeftGroup,
    RejoinedGroup,
}

/// A step of a script: it is over when `is_done` returns true.
enum ScriptStep {
    /// The poll returns this outcome.
    Return(PollOutcome),
    /// The worker makes this call.
    Await(SourceCall),
    /// So many calls of the store hang.
    AwaitHangingCalls(u32),
    /// The clock of the worker advances.
    Advance(Duration),
    /// The worker polls so many times.
    Poll(u32),
    /// The store answers again.
    Heal,
    /// Records arrive until all of them were delivered to a running partition.
    Deliver(Partition),
}

/// Follows its steps, and then requests a stop.
struct StepScript {
    steps: Vec<ScriptStep>,
    calls: Arc<Mutex<Vec<SourceCall>>>,
    store: Arc<HangingStore>,
    metrics: Arc<WorkerMetrics>,
    stop: StopSignal,
    step_began: Option<Duration>,
    worker_clock: ManualClock,
}

impl StepScript {
    fn deliver(partition: Partition, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        let payload = Some(&br#"{"user_id":"u","event_time":0}"#[..]);
        let (key, timestamp_ms, unreadable_reason) = (None, None, None);
        each(SourceRecord { partition, offset: 0, key, payload, timestamp_ms, leader_epoch: None, unreadable_reason })
    }
}

impl SourceScript for StepScript {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        let now = self.store.clock.monotonic_now();
        let began = *self.step_began.get_or_insert(now);
        let Some(step) = self.steps.first_mut() else {
            self.stop.request();
            return Ok(PollOutcome::Idle);
        };
        let (outcome, is_done) = match step {
            ScriptStep::Return(outcome) => (outcome.clone(), true),
            ScriptStep::Await(call) => (PollOutcome::Idle, self.calls.lock().contains(call)),
            ScriptStep::AwaitHangingCalls(count) => {
                (PollOutcome::Idle, *self.store.hanging_call_count.lock() == *count)
            }
            ScriptStep::Advance(duration) => {
                self.worker_clock.advance(*duration);
                (PollOutcome::Idle, true)
            }
            ScriptStep::Poll(count) => {
                *count -= 1;
                (PollOutcome::Idle, *count == 0)
            }
            ScriptStep::Heal => {
                self.store.hanging_partitions.lock().clear();
                (PollOutcome::Idle, true)
            }
            ScriptStep::Deliver(partition) => {
                let before = self.metrics.records_read.get();
                Self::deliver(*partition, each)?;
                (PollOutcome::Records, self.metrics.records_read.get() > before)
            }
        };
        if is_done {
            self.steps.remove(0);
            self.step_began = None;
        } else {
            assert!(now.saturating_sub(began) < HANG_TIMEOUT, "{} steps are left", self.steps.len());
            self.store.clock.sleep(Duration::from_millis(1));
        }
        Ok(outcome)
    }

    fn note_accepted(&mut self, partitions: &[Partition]) {
        self.calls.lock().push(SourceCall::Accepted(partitions.to_vec()));
    }

    fn note_started(&mut self, partitions: &[Partition], _: &PartitionOffsets) {
        let calls = partitions.iter().map(|&partition| SourceCall::Started(vec![partition]));
        self.calls.lock().extend(calls);
    }

    fn note_released(&mut self, partitions: &[Partition]) {
        self.calls.lock().push(SourceCall::Released(partitions.to_vec()));
    }

    fn leave_group(&mut self) -> GroupDeparture {
        self.calls.lock().push(SourceCall::LeftGroup);
        GroupDeparture::Left
    }

    fn note_rejoined(&mut self) {
        self.calls.lock().push(SourceCall::RejoinedGroup);
    }
}

struct NoRows;

impl RowHandler for NoRows {
    fn handle_row(&mut self, _: Row<'_>) {}
}

/// Runs a worker with these steps. Returns its calls of the source.
fn run_script(store: &Arc<HangingStore>, steps: Vec<ScriptStep>) -> Vec<SourceCall> {
    let schema = EventSchema::new("user_id", []);
    let count = Feature { name: "n".into(), aggregate: Aggregate::Count, condition: None, default_value: None };
    let window = WindowKind::Sliding { size_ms: 1_000, slide_ms: 1_000 };
    let job = JobDefinition {
        views: [FeatureView { name: "v".into(), window, features: vec![count] }].into(),
        decoder: EventDecoder::new(DecodeRules::new(schema.clone(), "event_time")),
        schema,
        max_out_of_orderness_ms: 0,
        topic: "events".into(),
        sip_hash_key: [0; 16],
        record_placement: RecordPlacementRules::SINGLE_PARTITION,
    };
    let checkpoints = CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: "p".to_owned(),
            topic: "events".to_owned(),
            topic_id: None,
            partition_count: 2,
        },
        checkpoint_store: Arc::<HangingStore>::clone(store),
        current_savepoint_request: Default::default(),
        row_fence: Arc::new(NoRowFence),
        topic_identity_check: Arc::new(|| Ok(None)),
        log_history: Arc::new(UnknownLogHistory),
        checkpoint_interval: HANG_TIMEOUT,
        kept_checkpoints_per_partition: 3,
        restore_source: None,
        droppable_view_names: Default::default(),
        accepts_added_partitions: false,
        partition_fault_policy: windrow_engine::checkpoint::PartitionFaultPolicy::Halt,
        snapshot_limits: Default::default(),
        process_name: "test".to_owned(),
    };
    let clock = ManualClock::starting_at(0);
    let (stop, calls, metrics) = (StopSignal::default(), Arc::<Mutex<_>>::default(), WorkerMetrics::new(1));
    let script = StepScript {
        steps,
        calls: Arc::clone(&calls),
        store: Arc::clone(store),
        metrics: Arc::clone(&metrics),
        stop: stop.clone(),
        step_began: None,
        worker_clock: clock.clone(),
    };
    let mut worker = Worker::new(WorkerParts {
        job,
        source: ScriptedSource(script),
        sink: InstantSink(NoRows),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: Some(checkpoints),
        stop_signal: stop,
        metrics,
    });
    assert_eq!(worker.run().expect("no halt"), WorkerOutcome::Stopped);
    calls.lock().clone()
}

/// The group waits for the answers of all its members, so a store that hangs must not delay them.
#[test]
fn assignments_and_revocations_are_answered_while_the_store_hangs() {
    let store = HangingStore::new(&[0, 1]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Accepted(vec![0, 1])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::Return(PollOutcome::Lost(vec![1])),
            ScriptStep::Await(SourceCall::Released(vec![1])),
            ScriptStep::Heal,
            ScriptStep::AwaitHangingCalls(0),
        ],
    );
    let started = calls.iter().filter(|call| matches!(call, SourceCall::Started(_))).count();
    assert_eq!(started, 0, "{calls:?}");
    assert_eq!([store.epoch_objects(0), store.epoch_objects(1)], [vec![], vec![]] as [Vec<String>; 2]);
}

#[test]
fn a_partition_that_cannot_be_opened_delays_no_other() {
    let store = HangingStore::new(&[0]);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Started(vec![1])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Deliver(1),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
}

/// The call of the first opening returns after the partition was assigned a second time. The first opening must then do
/// nothing more: the partition could belong to another worker.
#[test]
fn an_opening_that_the_group_has_revoked_claims_nothing() {
    let store = HangingStore::new(&[0]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
    let started = calls.iter().filter(|call| matches!(call, SourceCall::Started(_))).count();
    assert_eq!(started, 1, "{calls:?}");
    assert_eq!(store.epoch_objects(0), ["partition-0/epoch/0000000001"]);
}

/// Another instance may reach the store, so the group must be able to assign the partitions to it.
#[test]
fn a_worker_that_can_open_no_partition_leaves_the_group_until_its_store_answers() {
    let store = HangingStore::new(&[0, 1]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Advance(Duration::from_secs(9)),
            ScriptStep::Poll(5),
            ScriptStep::Return(PollOutcome::Revoked(vec![1])),
            ScriptStep::Await(SourceCall::Released(vec![1])),
            ScriptStep::Advance(Duration::from_secs(2)),
            ScriptStep::Await(SourceCall::LeftGroup),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::AwaitHangingCalls(3),
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Poll(5),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::RejoinedGroup),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
    let released = |partition| SourceCall::Released(vec![partition]);
    let calls: Vec<_> = calls.into_iter().filter(|call| !matches!(call, SourceCall::Accepted(_))).collect();
    let (left, rejoined) = (SourceCall::LeftGroup, SourceCall::RejoinedGroup);
    assert_eq!(calls, [released(1), left, released(0), rejoined, SourceCall::Started(vec![0])]);
}

/// The store may be unreachable for all instances. Partitions that are open must then be processed further.
#[test]
fn a_worker_with_an_open_partition_stays_in_the_group() {
    let store = HangingStore::new(&[0]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Started(vec![1])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Poll(5),
            ScriptStep::Deliver(1),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
        ],
    );
    assert!(!calls.contains(&SourceCall::LeftGroup), "{calls:?}");
}

/// Openings whose calls hang must not take all threads from partitions that could be opened.
#[test]
fn eight_openings_that_hang_delay_a_ninth_for_seconds_only() {
    let hanging: Vec<Partition> = (0..8).collect();
    let store = HangingStore::new(&hanging);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![9])),
            ScriptStep::Await(SourceCall::Started(vec![9])),
            ScriptStep::Return(PollOutcome::Assigned((0..9).collect())),
            ScriptStep::AwaitHangingCalls(8),
            ScriptStep::Advance(Duration::from_secs(6)),
            ScriptStep::Await(SourceCall::Started(vec![8])),
            ScriptStep::Deliver(8),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![7])),
        ],
    );
}

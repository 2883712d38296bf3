//! Checkpoints of many partitions, where saving takes longer than the checkpoint interval.

#[path = "support/scripted_worker.rs"]
mod scripted_worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::{Aggregate, EventSchema, Feature, FeatureView, Row, WindowKind};
use windrow_engine::checkpoint::{PartitionFaultPolicy, SnapshotLimits, StateIdentity};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, Clock, CommitWait, DecodeRules, EventDecoder, Halt, JobDefinition, ListedObject,
    ManualClock, NoDeadLetterSink, NoRowFence, Offset, Partition, PartitionOffsets, PollOutcome, RecordPlacementRules,
    SourceRecord, StopSignal, StoreFault, SystemClock, UnknownLogHistory, Worker, WorkerMetrics, WorkerParts,
};

use scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};

/// The longest wait for the checkpoint thread.
const HANG_TIMEOUT: Duration = Duration::from_secs(300);
const PARTITIONS: [Partition; 4] = [0, 1, 2, 3];
const USERS: Offset = 30;
/// The offset after 100 polls. By then, each partition has had its first turn.
const LATE_OFFSET: Offset = 100 * USERS;
/// Enough polls for dozens of checkpoints of each partition.
const MAX_POLLS: u32 = 2_000;

/// The time between two polls, and between two checkpoints of a partition.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Delivers a record of each user in each partition per poll, until every partition has a checkpoint after
/// [`LATE_OFFSET`]. So saving a partition takes as long as it takes the one before it to be due again. The clock advances
/// with each poll. A poll first waits for the checkpoint thread, so the outcome does not depend on its speed.
struct SteadyRecords {
    clock: ManualClock,
    stop: StopSignal,
    offset: Offset,
    polls: u32,
    committed: Arc<Mutex<PartitionOffsets>>,
    metrics: Arc<WorkerMetrics>,
    store: Arc<MemoryCheckpointStore>,
    real_clock: SystemClock,
}

impl SteadyRecords {
    /// Waits until the checkpoint thread has completed all snapshots except the one that the worker is saving.
    fn wait_for_checkpoint_thread(&self) {
        let checkpoints = &self.metrics.checkpoint_metrics;
        let in_progress = checkpoints.checkpoints_in_progress_count() as u64;
        let saved = (checkpoints.completed_checkpoints.get() + in_progress).saturating_sub(1);
        let until = self.real_clock.monotonic_now() + HANG_TIMEOUT;
        while self.store.cleanup_count.load(Ordering::Acquire) < saved {
            assert!(self.real_clock.monotonic_now() < until, "the checkpoint thread hangs");
            self.real_clock.sleep(Duration::from_micros(50));
        }
        // After the cleanup, the thread only sends an event to the worker.
        self.real_clock.sleep(Duration::from_millis(1));
    }
}

impl SourceScript for SteadyRecords {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        self.polls += 1;
        if self.polls == 1 {
            return Ok(PollOutcome::Assigned(PARTITIONS.to_vec()));
        }
        if self.polls > MAX_POLLS || has_late_checkpoints(&self.committed.lock()) {
            self.stop.request();
            return Ok(PollOutcome::Idle);
        }
        self.wait_for_checkpoint_thread();
        self.clock.advance(POLL_INTERVAL);
        for user in 0..USERS {
            let payload = format!(r#"{{"user_id":"{user}","event_time":0}}"#);
            for partition in PARTITIONS {
                let payload = Some(payload.as_bytes());
                let (key, timestamp_ms, unreadable_reason) = (None, None, None);
                each(SourceRecord {
                    partition,
                    offset: self.offset,
                    key,
                    payload,
                    timestamp_ms,
                    leader_epoch: None,
                    unreadable_reason,
                })?;
            }
            self.offset += 1;
        }
        Ok(PollOutcome::Records)
    }

    fn note_commit(&mut self, offsets: &PartitionOffsets, wait: CommitWait) {
        // The commits after a stop follow the last checkpoints, which every partition gets.
        if wait == CommitWait::Background && !self.stop.is_requested() {
            self.committed.lock().extend(offsets);
        }
    }
}

/// Returns whether each partition has a checkpoint after [`LATE_OFFSET`].
fn has_late_checkpoints(committed: &PartitionOffsets) -> bool {
    PARTITIONS.iter().all(|partition| committed.get(partition).is_some_and(|offset| *offset >= LATE_OFFSET))
}

struct NoRows;

impl RowHandler for NoRows {
    fn handle_row(&mut self, _: Row<'_>) {}
}

#[derive(Debug, Default)]
struct MemoryCheckpointStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The number of completed checkpoints: each ends with a deletion of old objects.
    cleanup_count: AtomicU64,
}

impl CheckpointStore for MemoryCheckpointStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let mut objects = self.objects.lock();
        if objects.contains_key(name) {
            return Err(StoreFault::Exists);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        Ok(self.objects.lock().get(name).cloned())
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let objects = self.objects.lock();
        let listed = objects.iter().filter(|(name, _)| name.starts_with(folder));
        Ok(listed
            .map(|(name, bytes)| ListedObject { object_name: name.clone(), object_byte_count: bytes.len() as u64 })
            .collect())
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let mut objects = self.objects.lock();
        names.iter().for_each(|name| drop(objects.remove(name)));
        self.cleanup_count.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn place(&self) -> &str {
        "memory"
    }
}

/// The partition whose checkpoint has been due for the longest time is next. So every partition gets its turn, although
/// the first ones are due again before the others have been saved.
#[test]
fn every_partition_gets_its_turn() {
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
    let store = Arc::new(MemoryCheckpointStore::default());
    let checkpoints = CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: "p".to_owned(),
            topic: "events".to_owned(),
            topic_id: None,
            partition_count: 4,
        },
        checkpoint_store: Arc::<MemoryCheckpointStore>::clone(&store),
        current_savepoint_request: Default::default(),
        row_fence: Arc::new(NoRowFence),
        topic_identity_check: Arc::new(|| Ok(None)),
        log_history: Arc::new(UnknownLogHistory),
        checkpoint_interval: POLL_INTERVAL,
        kept_checkpoints_per_partition: 3,
        restore_source: None,
        droppable_view_names: Default::default(),
        accepts_added_partitions: false,
        partition_fault_policy: PartitionFaultPolicy::Halt,
        // One slot per poll, so that a snapshot of all users takes many polls.
        snapshot_limits: SnapshotLimits { save_bytes_per_poll: 1, ..SnapshotLimits::default() },
        process_name: "test".to_owned(),
    };
    let (stop, committed) = (StopSignal::default(), Arc::<Mutex<PartitionOffsets>>::default());
    let (clock, metrics) = (ManualClock::starting_at(0), WorkerMetrics::new(1));
    let source = SteadyRecords {
        clock: clock.clone(),
        stop: stop.clone(),
        offset: 0,
        polls: 0,
        committed: Arc::clone(&committed),
        metrics: Arc::clone(&metrics),
        store,
        real_clock: SystemClock::start(),
    };
    let mut worker = Worker::new(WorkerParts {
        job,
        source: ScriptedSource(source),
        sink: InstantSink(NoRows),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: Some(checkpoints),
        stop_signal: stop,
        metrics,
    });
    worker.run().expect("no halt");
    let committed = committed.lock().clone();
    assert!(has_late_checkpoints(&committed), "checkpoints: {committed:?}");
}

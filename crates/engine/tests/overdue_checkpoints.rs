//! Checkpoints of many partitions, where saving takes longer than the checkpoint interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::{Aggregate, EventSchema, Feature, FeatureView, Row, WindowKind};
use windrow_engine::checkpoint::{SnapshotLimits, StateIdentity};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, Clock, CommitWait, DecodeRules, EventDecoder, FenceToken, FlushTicket, Halt,
    JobDefinition, ListedObject, NoDeadLetterSink, NoRowFence, Offset, Partition, PartitionOffsets, PollOutcome,
    RecordPlacementRules, Sink, Source, SourceRecord, StartOffset, StartOffsets, StopSignal, StoreFault, SystemClock,
    Worker, WorkerMetrics, WorkerParts,
};

const PARTITIONS: [Partition; 4] = [0, 1, 2, 3];
const USERS: Offset = 30;
/// Enough polls for several checkpoints of each partition.
const MAX_POLLS: u32 = 2_000;

/// Hands over one record of each partition per poll, until a checkpoint of every partition holds all users.
struct SteadySource {
    clock: SystemClock,
    stop: StopSignal,
    offset: Offset,
    polls: u32,
    committed: Arc<Mutex<PartitionOffsets>>,
}

impl Source for SteadySource {
    fn poll(
        &mut self,
        _: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        self.polls += 1;
        if self.polls == 1 {
            return Ok(PollOutcome::Assigned(PARTITIONS.to_vec()));
        }
        if self.polls > MAX_POLLS || has_large_checkpoints(&self.committed.lock()) {
            self.stop.request();
            return Ok(PollOutcome::Idle);
        }
        // The checkpoint thread completes a checkpoint while the worker saves the next one.
        self.clock.sleep(Duration::from_micros(200));
        let payload = format!(r#"{{"user_id":"{}","event_time":0}}"#, self.offset % USERS);
        for partition in PARTITIONS {
            let payload = Some(payload.as_bytes());
            let (key, timestamp_ms, unreadable_reason) = (None, None, None);
            each(SourceRecord { partition, offset: self.offset, key, payload, timestamp_ms, unreadable_reason })?;
        }
        self.offset += 1;
        Ok(PollOutcome::Records)
    }

    fn resolve_start_offsets(&mut self, partitions: &[Partition], _: &PartitionOffsets) -> Result<StartOffsets, Halt> {
        Ok(partitions.iter().map(|&partition| (partition, StartOffset::with_unknown_bounds(0))).collect())
    }

    fn start_partitions(&mut self, _: &[Partition], _: &PartitionOffsets) -> Result<(), Halt> {
        Ok(())
    }

    fn seek_partitions(&mut self, _: &PartitionOffsets) -> Result<(), Halt> {
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn pause_partitions(&mut self, _: &[Partition]) {}

    fn resume_partitions(&mut self, _: &[Partition]) {}

    fn release_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt> {
        // The commits of a stop follow its last checkpoints, which every partition gets.
        if wait == CommitWait::Background {
            self.committed.lock().extend(offsets);
        }
        Ok(())
    }
}

/// Returns whether a checkpoint of each partition holds all users.
fn has_large_checkpoints(committed: &PartitionOffsets) -> bool {
    PARTITIONS.iter().all(|partition| committed.get(partition).is_some_and(|offset| *offset >= USERS))
}

struct NoRows;

impl Sink for NoRows {
    fn write_row(&mut self, _: FenceToken, _: Row<'_>) {}

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

#[derive(Debug, Default)]
struct MemoryCheckpointStore(Mutex<BTreeMap<String, Vec<u8>>>);

impl CheckpointStore for MemoryCheckpointStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let mut objects = self.0.lock();
        if objects.contains_key(name) {
            return Err(StoreFault::Exists);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        Ok(self.0.lock().get(name).cloned())
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        let objects = self.0.lock();
        let listed = objects.iter().filter(|(name, _)| name.starts_with(folder));
        Ok(listed
            .map(|(name, bytes)| ListedObject { object_name: name.clone(), object_byte_count: bytes.len() as u64 })
            .collect())
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let mut objects = self.0.lock();
        names.iter().for_each(|name| drop(objects.remove(name)));
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
    let checkpoints = CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: "p".to_owned(),
            topic: "events".to_owned(),
            topic_id: None,
            partition_count: 4,
        },
        checkpoint_store: Arc::new(MemoryCheckpointStore::default()),
        current_savepoint_request: Default::default(),
        row_fence: Arc::new(NoRowFence),
        topic_identity_check: Arc::new(|| Ok(())),
        checkpoint_interval: Duration::ZERO,
        kept_checkpoints_per_partition: 3,
        restore_source: None,
        droppable_view_names: Default::default(),
        accepts_added_partitions: false,
        // One slot per poll, so that a snapshot of all users takes many polls.
        snapshot_limits: SnapshotLimits { save_bytes_per_poll: 1, ..SnapshotLimits::default() },
        process_name: "test".to_owned(),
    };
    let (stop, committed) = (StopSignal::default(), Arc::<Mutex<PartitionOffsets>>::default());
    let source = SteadySource {
        clock: SystemClock::start(),
        stop: stop.clone(),
        offset: 0,
        polls: 0,
        committed: Arc::clone(&committed),
    };
    let mut worker = Worker::new(WorkerParts {
        job,
        source,
        sink: NoRows,
        dead_letter_sink: NoDeadLetterSink,
        clock: SystemClock::start_shared(),
        checkpoint_config: Some(checkpoints),
        stop_signal: stop,
        metrics: WorkerMetrics::new(1),
    });
    worker.run().expect("no halt");
    let committed = committed.lock().clone();
    assert!(has_large_checkpoints(&committed), "checkpoints: {committed:?}");
}

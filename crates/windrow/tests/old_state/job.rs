//! A job over two partitions that reads records step by step and keeps its rows in memory.
//!
//! The test shares it with `examples/keep_state.rs`, which creates the state that the test restores.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windrow_connectors::file::JsonLinesSink;
use windrow_core::{FeatureView, Row};
use windrow_engine::checkpoint::{CurrentSavepointRequest, PartitionFaultPolicy, RestoreSource, StateIdentity};
use windrow_engine::halt::InputFault;
use windrow_engine::{
    CheckpointConfig, CheckpointStore, CommitWait, FenceToken, FlushTicket, Halt, NoDeadLetterSink, NoRowFence, Offset,
    Partition, PartitionOffsets, PollOutcome, Sink, Source, SourceRecord, StartOffset, StartOffsets, StopSignal,
    SystemClock, UnknownLogHistory, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};
use windrow_spec::Pipeline;
use windrow_test_support::HANG_TIMEOUT;

use crate::shared_job::{define_job, open_folder_store};

pub(crate) const PARTITIONS: [Partition; 2] = [0, 1];
/// The reason with which a killed worker halts.
const KILLED: &str = "killed";

/// Records by partition and offset. The first ones may be missing.
pub(crate) type Records = BTreeMap<(Partition, Offset), String>;

/// One step of a run.
pub(crate) enum Step {
    /// Reads every partition up to this offset.
    Read(Offset),
    /// Waits for checkpoints of everything that was read.
    Checkpoint,
    /// Waits until the condition holds.
    Until(Box<dyn FnMut() -> bool>),
    /// Ends the worker as a crash does.
    Kill,
}

/// The rows of every partition as JSON lines, in the order of writing.
#[derive(Clone, Default)]
pub(crate) struct PartitionRows(Arc<Mutex<BTreeMap<Partition, Vec<u8>>>>);

impl PartitionRows {
    pub(crate) fn lines(&self, partition: Partition) -> Vec<String> {
        let rows = self.0.lock();
        let bytes = rows.get(&partition).cloned().unwrap_or_default();
        String::from_utf8(bytes).expect("JSON lines").lines().map(str::to_owned).collect()
    }
}

/// Reads the pipeline file at `path`.
pub(crate) fn read_pipeline(path: &Path) -> Pipeline {
    let text = std::fs::read_to_string(path).expect("a pipeline file");
    windrow_spec::parse("pipeline.toml", &text, &[]).expect("a pipeline")
}

/// Configures checkpoints of `pipeline` in `store`, taken as often as possible.
pub(crate) fn checkpoint_config(
    pipeline: &Pipeline,
    store: Arc<dyn CheckpointStore>,
    from: Option<&Path>,
) -> CheckpointConfig {
    CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: pipeline.name.clone(),
            topic: pipeline.source.kafka().topic.clone(),
            topic_id: Some("kept".to_owned()),
            partition_count: 2,
        },
        checkpoint_store: store,
        current_savepoint_request: CurrentSavepointRequest::default(),
        row_fence: Arc::new(NoRowFence),
        topic_identity_check: Arc::new(|| Ok(None)),
        log_history: Arc::new(UnknownLogHistory),
        checkpoint_interval: Duration::ZERO,
        kept_checkpoints_per_partition: 2,
        restore_source: from.map(|from| RestoreSource { source_store: open_folder_store(from) }),
        droppable_state_names: Default::default(),
        accepts_added_partitions: false,
        partition_fault_policy: PartitionFaultPolicy::Halt,
        store_findings: Default::default(),
        snapshot_limits: Default::default(),
        process_name: "kept".to_owned(),
    }
}

/// Runs one worker through `steps` and collects its rows. After the last step it reads to the end of its input, where
/// all windows fire.
pub(crate) fn run_steps(
    pipeline: &Pipeline,
    checkpoints: Option<CheckpointConfig>,
    records: &Records,
    steps: Vec<Step>,
    rows: &PartitionRows,
) {
    let job = define_job(pipeline, &pipeline.source.kafka().topic);
    let sink = PartitionSinks::new(rows, &job.views, pipeline.event.schema.entity_key_name());
    let source = StepSource {
        records: records.clone(),
        steps: steps.into(),
        positions: PartitionOffsets::new(),
        committed: PartitionOffsets::new(),
        announced: false,
        ends: PARTITIONS.to_vec(),
        began: Instant::now(),
    };
    let metrics = WorkerMetrics::new(job.views.len());
    let parts = WorkerParts {
        job,
        source,
        sink,
        dead_letter_sink: NoDeadLetterSink,
        clock: SystemClock::start_shared(),
        checkpoint_config: checkpoints,
        stop_signal: StopSignal::default(),
        metrics,
    };
    let ended = Worker::new(parts).run();
    let as_expected = match &ended {
        Ok(ended) => *ended == WorkerOutcome::InputExhausted,
        Err(halt) => halt.to_string() == KILLED,
    };
    assert!(as_expected, "{ended:?}");
}

/// Hands the records to the worker as the steps demand.
struct StepSource {
    records: Records,
    steps: VecDeque<Step>,
    positions: PartitionOffsets,
    committed: PartitionOffsets,
    announced: bool,
    ends: Vec<Partition>,
    began: Instant,
}

impl StepSource {
    /// Hands over the records of one partition before `until`. Returns `None` when all have been read.
    fn read(
        &mut self,
        until: Offset,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<Option<PollOutcome>, Halt> {
        for partition in PARTITIONS {
            let position = self.positions[&partition];
            let behind: Vec<_> = self.records.range((partition, position)..(partition, until.max(position))).collect();
            if behind.is_empty() {
                continue;
            }
            for ((partition, offset), record) in behind {
                let (partition, offset) = (*partition, *offset);
                each(SourceRecord {
                    partition,
                    offset,
                    key: None,
                    payload: Some(record.as_bytes()),
                    timestamp_ms: None,
                    leader_epoch: None,
                    unreadable_reason: None,
                })?;
                self.positions.insert(partition, offset + 1);
            }
            return Ok(Some(PollOutcome::Records));
        }
        Ok(None)
    }
}

impl Source for StepSource {
    fn poll(
        &mut self,
        _: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        if !self.announced {
            self.announced = true;
            return Ok(PollOutcome::Assigned(PARTITIONS.to_vec()));
        }
        if self.positions.len() == PARTITIONS.len() {
            let done = match self.steps.front_mut() {
                Some(Step::Kill) => return Err(InputFault::NotSeekable { input: KILLED.to_owned() }.into()),
                Some(Step::Checkpoint) => self.committed == self.positions,
                Some(Step::Until(is_so)) => is_so(),
                Some(Step::Read(until)) => {
                    let until = *until;
                    match self.read(until, each)? {
                        Some(polled) => return Ok(polled),
                        None => true,
                    }
                }
                None => {
                    if let Some(polled) = self.read(Offset::MAX, each)? {
                        return Ok(polled);
                    }
                    return Ok(self.ends.pop().map_or(PollOutcome::InputExhausted, PollOutcome::PartitionFinished));
                }
            };
            if done {
                self.steps.pop_front();
                self.began = Instant::now();
            }
        }
        assert!(self.began.elapsed() < HANG_TIMEOUT, "{} steps are left", self.steps.len());
        thread::sleep(Duration::from_millis(1));
        Ok(PollOutcome::Idle)
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt> {
        let start = |&partition: &Partition| {
            (partition, StartOffset::with_unknown_bounds(positions.get(&partition).copied().unwrap_or(0)))
        };
        Ok(partitions.iter().map(start).collect())
    }

    fn accept_assignment(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn start_partitions(&mut self, _: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        self.positions.extend(starts);
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn stop_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn release_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, _: CommitWait) -> Result<(), Halt> {
        self.committed.extend(positions);
        Ok(())
    }
}

/// Writes the rows of each partition by themselves.
struct PartitionSinks(BTreeMap<Partition, JsonLinesSink<Box<dyn Write + Send>>>);

impl PartitionSinks {
    fn new(rows: &PartitionRows, views: &[FeatureView], key: &str) -> Self {
        let sink = |partition| {
            let lines = Box::new(PartitionWriter(rows.clone(), partition)) as Box<dyn Write + Send>;
            (partition, JsonLinesSink::new(lines, "memory".to_owned(), views, key))
        };
        Self(PARTITIONS.into_iter().map(sink).collect())
    }
}

struct PartitionWriter(PartitionRows, Partition);

impl Write for PartitionWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rows = self.0.0.lock();
        rows.entry(self.1).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for PartitionSinks {
    fn write_row(&mut self, origin: FenceToken, row: Row<'_>) {
        let sink = self.0.get_mut(&origin.partition).expect("a partition of ours");
        sink.write_row(origin, row);
        sink.start_flush().expect("memory takes it");
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

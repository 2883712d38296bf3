//! The shipped pipeline with scripted input and rows in memory.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::checkpoint::{CheckpointConfig, PartitionFaultPolicy, RestoreSource, StateIdentity};
use windrow_engine::halt::InputFault;
use windrow_engine::{
    CheckpointStore, Halt, NoDeadLetterSink, Partition, StopSignal, SystemClock, UnknownLogHistory, Worker,
    WorkerMetrics, WorkerOutcome, WorkerParts,
};
use windrow_spec::{Pipeline, PipelineOverride, SHIPPED_PIPELINE, parse};

use crate::memory_rows::MemoryRowStore;
use crate::scripted_source::{KILLED, ScriptedSource};
use crate::shared_job::{define_job, open_folder_store};

/// What all runs of one job share.
#[derive(Clone)]
pub(crate) struct JobSetup {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) rows: MemoryRowStore,
    pub(crate) checkpoints: CheckpointConfig,
    /// With more than one partition, records must have keys, which those of a script lack.
    pub(crate) topic_partition_count: Partition,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum RunOutcome {
    Ended(WorkerOutcome),
    Killed,
    Halted(Halt),
}

impl JobSetup {
    /// Checkpoints in `folder`, taken as often as possible.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self::in_store(open_folder_store(folder))
    }

    pub(crate) fn in_store(store: Arc<dyn CheckpointStore>) -> Self {
        let rows = MemoryRowStore::default();
        let checkpoints = CheckpointConfig {
            state_identity: StateIdentity {
                pipeline_name: "ecommerce".to_owned(),
                topic: "events".to_owned(),
                topic_id: Some("id".to_owned()),
                partition_count: 1,
            },
            checkpoint_store: store,
            current_savepoint_request: Default::default(),
            row_fence: Arc::new(rows.clone()),
            topic_identity_check: Arc::new(|| Ok(None)),
            log_history: Arc::new(UnknownLogHistory),
            checkpoint_interval: Duration::ZERO,
            kept_checkpoints_per_partition: 3,
            restore_source: None,
            droppable_state_names: Default::default(),
            accepts_added_partitions: false,
            partition_fault_policy: PartitionFaultPolicy::Halt,
            store_findings: Default::default(),
            snapshot_limits: Default::default(),
            process_name: "test".to_owned(),
        };
        Self { pipeline: Arc::new(shipped_pipeline(&[])), rows, checkpoints, topic_partition_count: 1 }
    }

    /// Uses the fence of the current rows, after they were replaced.
    pub(crate) fn with_fence_of_rows(mut self) -> Self {
        self.checkpoints.row_fence = Arc::new(self.rows.clone());
        self
    }

    pub(crate) fn restored_from(mut self, folder: &Path) -> Self {
        self.checkpoints.restore_source = Some(RestoreSource { source_store: open_folder_store(folder) });
        self
    }

    pub(crate) fn run(&self, script: ScriptedSource) -> RunOutcome {
        self.run_with_stop(script, &StopSignal::default())
    }

    pub(crate) fn run_with_stop(&self, script: ScriptedSource, stop: &StopSignal) -> RunOutcome {
        self.run_with_metrics(script, stop, &WorkerMetrics::new(self.pipeline.views.len()))
    }

    /// Runs the job with these metrics.
    pub(crate) fn run_with_metrics(
        &self,
        script: ScriptedSource,
        stop: &StopSignal,
        metrics: &Arc<WorkerMetrics>,
    ) -> RunOutcome {
        let mut job = define_job(&self.pipeline, "events");
        job.record_placement.partition_count = self.topic_partition_count;
        let sink = self.rows.sink(&job.views, self.pipeline.event.schema.entity_key_name());
        let (metrics, checkpoints) = (Arc::clone(metrics), Some(self.checkpoints.clone()));
        let mut worker = Worker::new(WorkerParts {
            job,
            source: script,
            sink,
            dead_letter_sink: NoDeadLetterSink,
            clock: SystemClock::start_shared(),
            checkpoint_config: checkpoints,
            stop_signal: stop.clone(),
            metrics,
        });
        match worker.run() {
            Ok(ended) => RunOutcome::Ended(ended),
            Err(Halt::Input(InputFault::NotSeekable { input })) if input == KILLED => RunOutcome::Killed,
            Err(halt) => RunOutcome::Halted(halt),
        }
    }
}

impl RunOutcome {
    pub(crate) fn expect_end(self) {
        assert!(matches!(self, Self::Ended(WorkerOutcome::InputExhausted)), "{self}");
    }

    pub(crate) fn expect_killed(self) {
        assert!(matches!(self, Self::Killed), "{self}");
    }

    pub(crate) fn expect_halt(self) -> Halt {
        match self {
            Self::Halted(halt) => halt,
            other => panic!("not halted: {other}"),
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub(crate) fn shipped_pipeline(overrides: &[&str]) -> Pipeline {
    let overrides: Vec<PipelineOverride> = overrides.iter().map(|text| text.parse().expect("an override")).collect();
    parse("shipped", SHIPPED_PIPELINE, &overrides).expect("a pipeline")
}

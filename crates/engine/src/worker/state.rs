//! The data of a worker, and the worker's constructor.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;

use super::clock_reading::ClockReading;
use super::end_check_state::IdlePartitionCheck;
use super::event_recorder::WorkerEventRecorder;
use super::membership_state::GroupPresence;
use super::partition_change_queue::{ActiveRelease, PendingPartitionChange};
use super::partition_phase::TrackedPartition;
use crate::checkpoint::{CheckpointConfig, CheckpointThreadHandle, PartitionOpener, WorkerStoreFindings};
use crate::{Clock, Counter, FlushTicket, JobDefinition, Partition, StopSignal, WorkerMetrics};

/// The components that a worker is built from.
#[derive(Debug)]
pub struct WorkerParts<Input, Output, Rejects> {
    /// The definition of the job that the worker runs.
    pub job: JobDefinition,
    /// The source of the records.
    pub source: Input,
    /// The sink of the rows.
    pub sink: Output,
    /// The sink of dead letters: records that are not events, and refused rows.
    pub dead_letter_sink: Rejects,
    /// The clock of the worker.
    pub clock: Arc<dyn Clock>,
    /// The settings of checkpoints; `None` for a job without checkpoints. The state of such a job is lost when the
    /// worker ends. The command `replay` needs no checkpoints, because each run reads its input from the beginning.
    pub checkpoint_config: Option<CheckpointConfig>,
    /// The signal that asks the worker to stop.
    pub stop_signal: StopSignal,
    /// The metrics that the worker publishes.
    pub metrics: Arc<WorkerMetrics>,
}

/// Processes the partitions of one thread: reads their records, passes events to their shards and writes their rows.
pub struct Worker<Input, Output, Rejects> {
    pub(super) job: JobDefinition,
    pub(super) source: Input,
    pub(super) sink: Output,
    pub(super) dead_letter_sink: Rejects,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) event_recorder: WorkerEventRecorder,
    pub(super) checkpoint_config: Option<CheckpointConfig>,
    /// What this worker has found out about the store; `None` without checkpoints.
    pub(super) store_findings: Option<WorkerStoreFindings>,
    pub(super) checkpoint_thread: Option<CheckpointThreadHandle>,
    pub(super) partition_opener: Option<PartitionOpener>,
    /// All partitions that the worker has not released.
    pub(super) partitions: BTreeMap<Partition, TrackedPartition>,
    pub(super) pending_partition_changes: VecDeque<PendingPartitionChange>,
    pub(super) active_release: Option<ActiveRelease>,
    pub(super) group_presence: GroupPresence,
    pub(super) fence_check: FenceCheckSchedule,
    pub(super) idle_check: IdlePartitionCheck,
    /// The number of the last barrier between the checkpoint thread and an opening.
    pub(super) last_barrier_number: u64,
    /// The monotonic time before which the worker does not ask the source where reading starts.
    pub(super) next_offset_lookup_at: Duration,
    /// The memory into which the worker decodes the current event.
    pub(super) event_arena: Bump,
    pub(super) sink_blocked_ns: Arc<Counter>,
    pub(super) statuses_published_at: Option<Duration>,
    /// Whether records need keys although they needed none when the worker began, because partitions were added.
    pub(super) keys_became_required: bool,
}

/// When the worker next asks the row store whether it still accepts the rows of the worker's partitions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FenceCheckSchedule {
    pub(super) due_at: Duration,
    /// The flush with the last question.
    pub(super) flush_ticket: FlushTicket,
}

/// The outcome of a worker that did not halt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerOutcome {
    /// Bounded input was read to its end, and all rows are written.
    InputExhausted,
    /// A stop was requested. All rows are written, and the last checkpoints hold the state of open windows.
    Stopped,
    /// A stop was requested. All rows are written, but the last checkpoints are not complete. The next start reads the
    /// records again that the previous checkpoints do not include.
    StoppedWithoutCheckpoint,
    /// A stop was requested, but the row store did not acknowledge the last rows in time. The next start reads the
    /// records again that the last complete checkpoints do not include.
    StoppedWithUnwrittenRows,
}

impl<Input, Output: crate::Sink, Rejects> Worker<Input, Output, Rejects> {
    /// Creates a worker without partitions.
    pub fn new(parts: WorkerParts<Input, Output, Rejects>) -> Self {
        let WorkerParts { job, source, sink, dead_letter_sink, clock, checkpoint_config, stop_signal, metrics } = parts;
        let sink_blocked_ns = sink.blocked_ns_counter();
        metrics.time_use.set_blocked_counter(Arc::clone(&sink_blocked_ns));
        let event_recorder = WorkerEventRecorder::new(Arc::clone(&metrics), Arc::clone(&clock));
        let store_findings = checkpoint_config.as_ref().map(|config| config.store_findings.register_worker());
        Self {
            job,
            source,
            sink,
            dead_letter_sink,
            clock,
            stop_signal,
            metrics,
            event_recorder,
            checkpoint_config,
            store_findings,
            checkpoint_thread: None,
            partition_opener: None,
            partitions: BTreeMap::new(),
            pending_partition_changes: VecDeque::new(),
            active_release: None,
            group_presence: GroupPresence::default(),
            fence_check: FenceCheckSchedule::default(),
            idle_check: IdlePartitionCheck::default(),
            last_barrier_number: 0,
            next_offset_lookup_at: Duration::ZERO,
            event_arena: Bump::new(),
            sink_blocked_ns,
            statuses_published_at: None,
            keys_became_required: false,
        }
    }

    pub(super) fn read_both_clocks(&self) -> ClockReading {
        ClockReading::read(&*self.clock)
    }

    /// Returns the time between two checkpoints of a partition.
    pub(super) fn checkpoint_interval(&self) -> Duration {
        self.checkpoint_config.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.checkpoint_interval)
    }
}

//! What a worker is made of, and how it is put together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;

use super::change_queue::{ActiveChange, PendingChange};
use super::owned_partition::ClockReading;
use super::partition_phase::TrackedPartition;
use super::worker_events::WorkerEvents;
use crate::checkpoint::{CheckpointConfig, CheckpointThreadHandle};
use crate::{Clock, Counter, JobDefinition, Partition, StopSignal, WorkerMetrics};

/// What a worker is made of.
#[derive(Debug)]
pub struct WorkerParts<Input, Output, Rejects> {
    /// What is computed.
    pub job: JobDefinition,
    /// Where records come from.
    pub source: Input,
    /// Where rows go.
    pub sink: Output,
    /// Where records that are not events, and refused rows, go.
    pub dead_letters: Rejects,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where state is kept. Without it, state ends with the worker: right for input that can be read again from its
    /// beginning.
    pub checkpoints: Option<CheckpointConfig>,
    /// Ends the worker.
    pub stop_signal: StopSignal,
    /// Where the worker publishes what it does.
    pub metrics: Arc<WorkerMetrics>,
}

/// One thread's share of a job: reads partitions, drives their shards and writes their rows.
pub struct Worker<Input, Output, Rejects> {
    pub(super) job: JobDefinition,
    pub(super) source: Input,
    pub(super) sink: Output,
    pub(super) dead_letters: Rejects,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) events: WorkerEvents,
    pub(super) checkpoints: Option<CheckpointConfig>,
    pub(super) checkpoint_thread: Option<CheckpointThreadHandle>,
    /// Partitions that are not released, whatever their phase.
    pub(super) partitions: BTreeMap<Partition, TrackedPartition>,
    pub(super) pending_changes: VecDeque<PendingChange>,
    pub(super) active_change: Option<ActiveChange>,
    /// Memory for the event at hand.
    pub(super) arena: Bump,
    pub(super) sink_blocked_ns: Arc<Counter>,
    pub(super) last_published: Option<Duration>,
}

/// How a worker ended, when it was not halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerOutcome {
    /// Bounded input was read to its end, and everything is written.
    InputExhausted,
    /// A stop was requested. Everything read is written, and open windows are in checkpoints.
    Stopped,
    /// A stop was requested. Everything read is written, but the last checkpoints are not complete: records after the
    /// checkpoints before are read again.
    StoppedWithoutCheckpoint,
    /// A stop was requested, but the store did not take the last rows in time. Records after the last checkpoints are read
    /// again.
    StoppedWithUnwrittenRows,
}

impl<Input, Output: crate::Sink, Rejects> Worker<Input, Output, Rejects> {
    /// Returns a worker without partitions.
    pub fn new(parts: WorkerParts<Input, Output, Rejects>) -> Self {
        let WorkerParts { job, source, sink, dead_letters, clock, checkpoints, stop_signal, metrics } = parts;
        let sink_blocked_ns = sink.blocked_ns_counter();
        metrics.time_use.set_blocked_counter(Arc::clone(&sink_blocked_ns));
        let events = WorkerEvents::new(Arc::clone(&metrics), Arc::clone(&clock));
        Self {
            job,
            source,
            sink,
            dead_letters,
            clock,
            stop_signal,
            metrics,
            events,
            checkpoints,
            checkpoint_thread: None,
            partitions: BTreeMap::new(),
            pending_changes: VecDeque::new(),
            active_change: None,
            arena: Bump::new(),
            sink_blocked_ns,
            last_published: None,
        }
    }

    pub(super) fn read_clock(&self) -> ClockReading {
        ClockReading { now: self.clock.now(), wall_now_ms: self.clock.wall_now_ms() }
    }

    /// Time between two checkpoints of a partition.
    pub(super) fn checkpoint_interval(&self) -> Duration {
        self.checkpoints.as_ref().map_or(Duration::MAX, |checkpoints| checkpoints.interval)
    }
}

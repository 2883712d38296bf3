//! Starts the workers of one process, waits for their end, and logs their progress.
//!
//! Owns: the worker threads, and the choice of the outcome that the process reports.
//! Does not own: the work of a worker (`windrow-engine`).
//! Invariant: if a worker halts, all others stop, and the process reports the first halt.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tracing::info;
use windrow_connectors::job::{JobInput, define_clock_rules};
use windrow_connectors::kafka::{
    KafkaSource, PartitionGrowthPolicy, TopicIdentity, TopicMonitor, UnassignedPartitionMonitor,
};
use windrow_core::FeatureView;
use windrow_engine::{
    CheckpointConfig, DeadLetterSink, Halt, JobDefinition, PartitionOffsets, Sink, StopSignal, SystemClock, Worker,
    WorkerMetrics, WorkerOutcome, WorkerParts,
};
use windrow_spec::{GroupProtocol, Pipeline};

use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count, format_duration, format_event_time};
use crate::instance_monitor::InstanceMonitor;
use crate::pipeline_file;
use crate::reject_targets::RejectTargets;
use crate::topic_watch_thread::TopicWatchThread;
use crate::worker_totals::WorkerTotals;

/// The time between two log lines with the current totals.
const STATUS_LOG_INTERVAL: Duration = Duration::from_secs(10);
/// The time between two checks whether all workers have ended.
const WORKER_END_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The settings and resources that all workers of a process share.
pub(crate) struct WorkerPool<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) topic_identity: &'a TopicIdentity,
    pub(crate) topic_monitor: Arc<TopicMonitor>,
    pub(crate) growth_policy: PartitionGrowthPolicy,
    pub(crate) checkpoint_config: CheckpointConfig,
    /// For each partition, the offset at which the job stops reading; `None` if the job reads without end.
    pub(crate) bounded_end_offsets: Option<PartitionOffsets>,
    /// The prefix of the names under which the workers are static members of the consumer group. Each name ends with
    /// the index of the worker. `None` if the workers have no such names.
    pub(crate) group_instance_name_prefix: Option<&'a str>,
    /// The monitor that holds the metrics of all workers. The pool starts one worker for each `WorkerMetrics` in this
    /// monitor.
    pub(crate) instance_monitor: Arc<InstanceMonitor>,
    pub(crate) stop_signal: &'a StopSignal,
}

/// A worker that reads Kafka.
type KafkaWorker<RowSink> = Worker<KafkaSource, RowSink, Box<dyn DeadLetterSink + Send>>;

/// The handle with which the pool waits for a worker's thread.
type WorkerThreadHandle<'scope> = ScopedJoinHandle<'scope, Result<WorkerOutcome, CommandFailure>>;

impl WorkerPool<'_> {
    /// Runs the workers until all of them have ended. With `bounded_end_offsets`, each worker reads a fixed share of
    /// the partitions. Otherwise the consumer group assigns the partitions.
    pub(crate) fn run<RowSink: Sink + Send>(
        self,
        create_worker_sink: impl FnMut(usize) -> RowSink,
    ) -> Result<WorkerOutcome, CommandFailure> {
        let TopicIdentity { name, partition_count, .. } = self.topic_identity;
        let input = JobInput { name, partition_count: *partition_count, growth_policy: self.growth_policy };
        let mut job = pipeline_file::create_job_definition(self.pipeline, input)?;
        if self.bounded_end_offsets.is_none() {
            job.clock_rules = define_clock_rules(self.pipeline);
        }
        let group_monitor = self.create_unassigned_partition_monitor()?;
        let mut workers = self.create_workers(&job, group_monitor.as_ref(), create_worker_sink)?;
        let started = Instant::now();
        let first_halt = OnceLock::new();
        let outcomes = thread::scope(|scope| {
            let threads: Vec<_> = workers
                .iter_mut()
                .enumerate()
                .map(|(index, worker)| {
                    let (stop, first_halt) = (self.stop_signal.clone(), &first_halt);
                    let run = move || run_worker(worker, stop, first_halt);
                    thread::Builder::new().name(format!("worker-{index}")).spawn_scoped(scope, run)
                })
                .collect();
            let topic_watch = TopicWatchThread::start(&self.topic_monitor, group_monitor);
            self.instance_monitor.start_sampling();
            let mut last_status = Instant::now();
            while threads.iter().flatten().any(|thread| !thread.is_finished()) {
                thread::sleep(WORKER_END_POLL_INTERVAL);
                if let Some(halt) = topic_watch.halt_reason() {
                    first_halt.get_or_init(|| halt.clone());
                    self.stop_signal.request();
                }
                if last_status.elapsed() >= STATUS_LOG_INTERVAL {
                    last_status = Instant::now();
                    log_current_totals(&self.instance_monitor.worker_metrics, &job.views);
                }
            }
            threads.into_iter().map(join_worker).collect::<Vec<_>>()
        });
        log_final_totals(&self.instance_monitor.worker_metrics, &job.views, started.elapsed());
        // A worker leaves the consumer group when it is dropped, which takes seconds while Kafka is unreachable. So
        // drop all workers in parallel.
        thread::scope(|scope| workers.into_iter().for_each(|worker| drop(scope.spawn(move || drop(worker)))));
        let mut worst = WorkerOutcome::InputExhausted;
        for outcome in outcomes {
            worst = worse_outcome(worst, outcome?);
        }
        // If the topic watch found a reason to halt, the workers stopped without an error, and only `first_halt` holds
        // the reason.
        first_halt.into_inner().map_or(Ok(worst), |halt| Err(halt.into()))
    }

    /// Creates a monitor if the flag `--instance` names this process and the consumer group uses the classic protocol.
    /// After a restart of a named process, the group may assign some partitions to no member. The monitor detects such
    /// partitions.
    fn create_unassigned_partition_monitor(&self) -> Result<Option<Arc<UnassignedPartitionMonitor>>, CommandFailure> {
        let is_classic = matches!(self.pipeline.source.kafka().group_protocol, GroupProtocol::Classic { .. });
        if self.group_instance_name_prefix.is_none() || self.bounded_end_offsets.is_some() || !is_classic {
            return Ok(None);
        }
        Ok(Some(Arc::new(UnassignedPartitionMonitor::new(self.pipeline.source.kafka())?)))
    }

    fn create_workers<RowSink: Sink>(
        &self,
        job: &JobDefinition,
        group_monitor: Option<&Arc<UnassignedPartitionMonitor>>,
        mut create_worker_sink: impl FnMut(usize) -> RowSink,
    ) -> Result<Vec<KafkaWorker<RowSink>>, CommandFailure> {
        let reject_targets = RejectTargets::open(self.pipeline, self.stop_signal)?;
        let all_metrics = &self.instance_monitor.worker_metrics;
        let shares =
            self.bounded_end_offsets.as_ref().map(|ends| split_partitions_between_workers(ends, all_metrics.len()));
        let create = |(index, metrics): (usize, &Arc<WorkerMetrics>)| {
            let share = shares.as_ref().map(|shares| shares[index].clone());
            Ok(Worker::new(WorkerParts {
                job: job.clone(),
                source: self.create_source(index, share, group_monitor)?,
                sink: create_worker_sink(index),
                dead_letter_sink: reject_targets.create_worker_sink()?,
                clock: SystemClock::start_shared(),
                checkpoint_config: Some(self.checkpoint_config.clone()),
                stop_signal: self.stop_signal.clone(),
                metrics: Arc::clone(metrics),
            }))
        };
        all_metrics.iter().enumerate().map(create).collect()
    }

    fn create_source(
        &self,
        index: usize,
        share: Option<PartitionOffsets>,
        group_monitor: Option<&Arc<UnassignedPartitionMonitor>>,
    ) -> Result<KafkaSource, CommandFailure> {
        let (settings, topic_monitor) = (self.pipeline.source.kafka(), Arc::clone(&self.topic_monitor));
        let source = match share {
            Some(share) => KafkaSource::new_bounded(settings, topic_monitor, share)?,
            None => {
                // Each worker is a separate member of the consumer group, so each needs a name of its own.
                let name = self.group_instance_name_prefix.map(|name| format!("{name}-{index}"));
                KafkaSource::begin_group_join(settings, topic_monitor, name.as_deref(), group_monitor.cloned())?
            }
        };
        Ok(source)
    }
}

fn run_worker<RowSink: Sink>(
    worker: &mut KafkaWorker<RowSink>,
    stop: StopSignal,
    first_halt: &OnceLock<Halt>,
) -> Result<WorkerOutcome, CommandFailure> {
    let guard = StopOnUnexpectedEnd { stop_signal: stop, ended_normally: false };
    // A later halt may be a consequence of the first one, so every worker that halts reports the first halt.
    // `first_halt` gets this halt before `guard` is dropped and stops the other workers.
    let first = |halt| CommandFailure::from(first_halt.get_or_init(|| halt).clone());
    worker.run().map_err(first).inspect(|_| guard.mark_ended_normally())
}

fn join_worker(thread: io::Result<WorkerThreadHandle<'_>>) -> Result<WorkerOutcome, CommandFailure> {
    let internal = |message: String| CommandFailure::new(ExitStatus::Internal, message);
    let thread = thread.map_err(|error| internal(format!("error: cannot start a worker thread: {error}")))?;
    thread
        .join()
        .unwrap_or_else(|_panic| Err(internal("error: a worker panicked; this is a bug in Windrow".to_owned())))
}

/// Stops all workers if one of them halts or panics. The thread of each worker holds a value of this type. If the
/// worker has not ended normally, dropping the value requests a stop of all workers.
struct StopOnUnexpectedEnd {
    stop_signal: StopSignal,
    ended_normally: bool,
}

impl StopOnUnexpectedEnd {
    fn mark_ended_normally(mut self) {
        self.ended_normally = true;
    }
}

impl Drop for StopOnUnexpectedEnd {
    fn drop(&mut self) {
        if !self.ended_normally {
            self.stop_signal.request();
        }
    }
}

fn worse_outcome(a: WorkerOutcome, b: WorkerOutcome) -> WorkerOutcome {
    let rank = |ended| match ended {
        WorkerOutcome::InputExhausted => 0,
        WorkerOutcome::Stopped => 1,
        WorkerOutcome::StoppedWithoutCheckpoint => 2,
        WorkerOutcome::StoppedWithUnwrittenRows => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// Splits the partitions in `ends` into one share per worker. The worker with the index `p % workers` gets partition
/// `p`.
fn split_partitions_between_workers(ends: &PartitionOffsets, workers: usize) -> Vec<PartitionOffsets> {
    let mut shares = vec![BTreeMap::new(); workers];
    for (&partition, &end) in ends {
        let worker = usize::try_from(partition).unwrap_or_default() % workers;
        shares[worker].insert(partition, end);
    }
    shares
}

fn log_current_totals(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView]) {
    let totals = WorkerTotals::combine_worker_metrics(metrics.iter().map(|worker| &**worker), views.len());
    info!(
        records = format_count(totals.records_read),
        rows = format_count(totals.total_fired_rows()),
        late = format_count(totals.total_late_events()),
        dead_letters = format_count(totals.dead_letter_count),
        refused_rows = format_count(totals.refused_row_count),
        entities = format_count(totals.entity_count),
        watermark = totals.lowest_watermark.map(format_event_time),
        checkpoints = format_count(totals.completed_checkpoint_count),
        checkpoints_failed = format_count(totals.failed_checkpoint_count),
        checkpoint_age = totals.longest_time_since_checkpoint.map(format_duration),
        checkpoint_took = format_duration(totals.max_last_checkpoint_duration),
        checkpoint_added = format_byte_size(totals.last_checkpoint_added_bytes),
        state = format_byte_size(totals.last_checkpoint_total_bytes),
        pause_max = format_duration(totals.longest_snapshot_pause),
        "status"
    );
}

fn log_final_totals(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView], elapsed: Duration) {
    let totals = WorkerTotals::combine_worker_metrics(metrics.iter().map(|worker| &**worker), views.len());
    let (records, dead_letters) = (format_count(totals.records_read), format_count(totals.dead_letter_count));
    let refused_rows = format_count(totals.refused_row_count);
    info!(records, dead_letters, refused_rows, after = format_duration(elapsed), "all workers ended");
    for line in totals.format_view_lines(views) {
        info!("{line}");
    }
}

//! The workers of one process: starts them, waits for them, and logs their progress.
//!
//! Owns: their threads, and which of several outcomes is reported. Does not own: what a worker does (`windrow-engine`).
//! Invariant: when one worker halts, all others stop, and the first halt is the one reported.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::info;
use windrow_connectors::kafka::{GroupMonitor, KafkaSource, TopicIdentity, TopicMonitor};
use windrow_core::FeatureView;
use windrow_engine::{
    CheckpointConfig, Halt, JobDefinition, PartitionOffsets, Sink, StopSignal, SystemClock, Worker, WorkerMetrics,
    WorkerOutcome, WorkerParts,
};
use windrow_spec::{GroupProtocol, Pipeline};

use crate::dead_letter_target::DeadLetterTarget;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count, format_duration, format_event_time};
use crate::instance_monitor::InstanceMonitor;
use crate::pipeline_file;
use crate::topic_watch_thread::TopicWatchThread;
use crate::worker_totals::WorkerTotals;

/// Time between two log lines on the status.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// What all workers of a process share.
pub(crate) struct WorkerPool<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) topic: &'a TopicIdentity,
    pub(crate) topic_guard: Arc<TopicMonitor>,
    pub(crate) checkpoint_config: CheckpointConfig,
    /// The end of each partition for bounded reading.
    pub(crate) end_offsets: Option<PartitionOffsets>,
    /// The name for static membership in the group.
    pub(crate) group_instance_name: Option<&'a str>,
    /// The workers' metrics; there is one worker for each.
    pub(crate) monitor: Arc<InstanceMonitor>,
    pub(crate) stop: &'a StopSignal,
}

impl WorkerPool<'_> {
    /// Runs until all workers have ended. With `end_offsets` each worker reads a fixed share of the partitions; without, the
    /// consumer group assigns them.
    pub(crate) fn run<K: Sink + Send>(self, mut sink: impl FnMut(usize) -> K) -> Result<WorkerOutcome, CommandFailure> {
        let Self {
            pipeline,
            topic,
            topic_guard: guard,
            checkpoint_config: checkpoints,
            end_offsets: ends,
            group_instance_name: instance,
            monitor: observed,
            stop,
        } = self;
        let workers = observed.workers.len();
        let job = pipeline_file::create_job(pipeline, &topic.name, topic.partition_count > 1)?;
        let views = Arc::clone(&job.views);
        let dead_letters = DeadLetterTarget::open(pipeline, stop)?;
        let classic = matches!(pipeline.source.kafka().group_protocol, GroupProtocol::Classic { .. });
        let group = match instance {
            Some(_) if ends.is_none() && classic => Some(Arc::new(GroupMonitor::new(pipeline.source.kafka())?)),
            _ => None,
        };
        let mut shares = ends.map(|ends| split_between_workers(&ends, workers));
        let all_metrics = &observed.workers;
        let mut ready = Vec::with_capacity(workers);
        for index in 0..workers {
            let source = match &mut shares {
                Some(shares) => {
                    let share = std::mem::take(&mut shares[index]);
                    KafkaSource::read_bounded(pipeline.source.kafka(), Arc::clone(&guard), share)?
                }
                None => {
                    // Each worker is a member of the group and needs a unique name.
                    let instance = instance.map(|name| format!("{name}-{index}"));
                    KafkaSource::join_group(
                        pipeline.source.kafka(),
                        Arc::clone(&guard),
                        instance.as_deref(),
                        group.clone(),
                    )?
                }
            };
            ready.push(Worker::new(WorkerParts {
                job: JobDefinition::clone(&job),
                source,
                sink: sink(index),
                dead_letters: dead_letters.worker_dead_letters(),
                clock: SystemClock::shared(),
                checkpoints: Some(checkpoints.clone()),
                stop_signal: stop.clone(),
                metrics: Arc::clone(&all_metrics[index]),
            }));
        }
        let started = Instant::now();
        let first_halt = OnceLock::new();
        let ended = thread::scope(|scope| {
            let threads: Vec<_> = ready
                .iter_mut()
                .enumerate()
                .map(|(index, worker)| {
                    let stop = stop.clone();
                    let first_halt = &first_halt;
                    let run = move || {
                        let guard = StopOnUnexpectedEnd { stop, ended_normally: false };
                        // The others halt or stop because of the first, so report its reason. Record it before the guard stops the
                        // others.
                        let halted = |halt| CommandFailure::from(Halt::clone(first_halt.get_or_init(|| halt)));
                        worker.run().map_err(halted).inspect(|_| guard.mark_ended())
                    };
                    thread::Builder::new().name(format!("worker-{index}")).spawn_scoped(scope, run)
                })
                .collect();
            let topic_watch = TopicWatchThread::start(&guard, group);
            observed.start_sampling();
            let mut said = Instant::now();
            while threads.iter().flatten().any(|thread| !thread.is_finished()) {
                thread::sleep(Duration::from_millis(20));
                if let Some(halt) = topic_watch.halt_reason() {
                    first_halt.get_or_init(|| halt.clone());
                    stop.request();
                }
                if said.elapsed() >= STATUS_INTERVAL {
                    said = Instant::now();
                    log_status(all_metrics, &views);
                }
            }
            threads
                .into_iter()
                .map(|thread| match thread.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_panic)) => Err(CommandFailure::new(
                        ExitStatus::Internal,
                        "error: a worker broke down; this is a bug in Windrow",
                    )),
                    Err(error) => Err(CommandFailure::new(
                        ExitStatus::Internal,
                        format!("error: cannot start a worker thread: {error}"),
                    )),
                })
                .collect::<Vec<_>>()
        });
        log_end(all_metrics, &views, started.elapsed());
        // Drop all at once, since each takes time to leave the group, and more when Kafka is unreachable.
        thread::scope(|scope| ready.into_iter().for_each(|worker| drop(scope.spawn(move || drop(worker)))));
        let mut worst = WorkerOutcome::InputExhausted;
        for outcome in ended {
            worst = worse_outcome(worst, outcome?);
        }
        // Workers that were stopped because of the topic ended without an error.
        first_halt.into_inner().map_or(Ok(worst), |halt| Err(halt.into()))
    }
}

/// Requests a stop of all workers unless this one ends normally.
struct StopOnUnexpectedEnd {
    stop: StopSignal,
    ended_normally: bool,
}

impl StopOnUnexpectedEnd {
    fn mark_ended(mut self) {
        self.ended_normally = true;
    }
}

impl Drop for StopOnUnexpectedEnd {
    fn drop(&mut self) {
        if !self.ended_normally {
            self.stop.request();
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

/// Assigns partition `p` to worker `p % workers`.
fn split_between_workers(ends: &PartitionOffsets, workers: usize) -> Vec<PartitionOffsets> {
    let mut shares = vec![BTreeMap::new(); workers];
    for (&partition, &end) in ends {
        let worker = usize::try_from(partition).unwrap_or_default() % workers;
        shares[worker].insert(partition, end);
    }
    shares
}

fn log_status(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView]) {
    let totals = WorkerTotals::sum_workers(metrics.iter().map(|worker| &**worker), views.len());
    info!(
        records = format_count(totals.records),
        rows = format_count(totals.total_rows()),
        late = format_count(totals.total_late_events()),
        dead_letters = format_count(totals.dead_letters),
        refused_rows = format_count(totals.refused_rows),
        entities = format_count(totals.entities),
        watermark = totals.watermark.map(format_event_time),
        checkpoints = format_count(totals.checkpoints),
        checkpoints_failed = format_count(totals.checkpoints_failed),
        checkpoint_age = totals.checkpoint_age.map(format_duration),
        checkpoint_took = format_duration(totals.checkpoint_duration),
        checkpoint_added = format_byte_size(totals.checkpoint_added_bytes),
        state = format_byte_size(totals.state_bytes),
        pause_max = format_duration(totals.longest_pause),
        "status"
    );
}

fn log_end(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView], elapsed: Duration) {
    let totals = WorkerTotals::sum_workers(metrics.iter().map(|worker| &**worker), views.len());
    let (records, dead_letters) = (format_count(totals.records), format_count(totals.dead_letters));
    let refused_rows = format_count(totals.refused_rows);
    info!(records, dead_letters, refused_rows, after = format_duration(elapsed), "all workers ended");
    for line in totals.format_view_lines(views) {
        info!("{line}");
    }
}

//! `windrow demo`: a complete job in one process that needs no Kafka.
//!
//! librdkafka's mock broker replaces Kafka, and a generator produces the events. The engine is the same as in `windrow
//! run`. Rows go to the terminal or to a real Redis.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;
use windrow_connectors::kafka::{
    DevBroker, EventProducer, MissingTopicPolicy, PartitionGrowthPolicy, TopicIdentity, TopicMonitor, wait_for_topic,
};
use windrow_connectors::redis::{RedisWriter, RedisWriterObserver, RedisWriterSettings, WriterCloseOutcome};
use windrow_engine::{NoRowFence, RowFence, StopSignal, WorkerOutcome};
use windrow_generator::{EventGenerator, GeneratorSettings};
use windrow_spec::{Pipeline, PipelineOverride};

use super::generate::{WaitOutcome, wait_until_due};
use crate::cli::DemoArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::instance_monitor::{InstanceMonitor, MonitoredInstance};
use crate::job_state_folder::{JobStateFolder, random_hex_digits};
use crate::number_conversions::signed_milliseconds;
use crate::terminal_rows::{DrawingStyle, TerminalRowDisplay};
use crate::wall_clock::now_ms;
use crate::worker_pool::WorkerPool;
use crate::{pipeline_file, signals};

const PARTITION_COUNT: i32 = 4;
const WORKER_COUNT: usize = 2;
/// The number of generated events per second of event time. At this rate, the generated backlog of two hours fits into
/// the 5 MB that the mock broker keeps of each partition.
const EVENTS_PER_SECOND: f64 = 10.0;
const USER_COUNT: u32 = 300;
const GENERATED_BACKLOG_SPAN: Duration = Duration::from_secs(2 * 60 * 60);
const MAX_DISORDER_MS: i64 = 5_000;
const TOPIC_WAIT_TIMEOUT: Duration = Duration::from_secs(30);
const REDIS_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
const REDRAW_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &DemoArgs) -> Result<ExitStatus, CommandFailure> {
    let mut overrides = args.pipeline_args.override_args.overrides.clone();
    let mut pipeline = pipeline_file::load(args.pipeline_args.pipeline_path.as_deref(), &overrides)?;
    let broker = DevBroker::start(&pipeline.source.kafka().topic, PARTITION_COUNT)?;
    overrides.push(PipelineOverride { path: "source.kafka.brokers".to_owned(), value: broker.bootstrap_servers() });
    // The Redis keys of fences contain the names of the pipeline and the consumer group. With a unique group, the demo
    // does not claim the fences of a job that uses the same Redis.
    let group = format!("windrow-demo-{}", random_hex_digits(8)?);
    overrides.push(PipelineOverride { path: "source.kafka.group".to_owned(), value: group });
    if let Some(url) = &args.redis_url {
        overrides.push(PipelineOverride { path: "sink.redis.url".to_owned(), value: url.clone() });
    }
    pipeline = pipeline_file::load(args.pipeline_args.pipeline_path.as_deref(), &overrides)?;
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;

    let deadline = args.run_duration.map(|time| Instant::now() + time);
    thread::scope(|scope| {
        let events = scope.spawn(|| {
            let sent = send_events(&pipeline, &stop);
            if sent.is_err() {
                stop.request();
            }
            sent
        });
        let ended = if args.redis_url.is_some() {
            run_to_redis(&pipeline, &stop, deadline)
        } else {
            let plain = args.print_plain_lines || !stdout().is_terminal();
            let style = if plain { DrawingStyle::Lines } else { DrawingStyle::Screen };
            run_to_terminal(&pipeline, &stop, deadline, style)
        };
        stop.request();
        let sent = events.join().unwrap_or_else(|_| {
            Err(CommandFailure::new(ExitStatus::Internal, "error: the generator panicked; this is a bug in Windrow"))
        });
        ended.and_then(|exit| sent.map(|()| exit))
    })
}

fn send_events(pipeline: &Pipeline, stop: &StopSignal) -> Result<(), CommandFailure> {
    let stream = GeneratorSettings {
        user_count: USER_COUNT,
        seed: 1,
        start_ms: now_ms() - signed_milliseconds(GENERATED_BACKLOG_SPAN),
        events_per_second: EVENTS_PER_SECOND,
        disorder_ms: MAX_DISORDER_MS,
        late_percent: 0.1,
        malformed_percent: 0.01,
    };
    let mut generator = EventGenerator::new(stream)
        .map_err(|error| CommandFailure::new(ExitStatus::Internal, format!("error: {error}")))?;
    let producer = EventProducer::new(&pipeline.source.kafka().brokers, &pipeline.source.kafka().topic, stop.clone())?;
    while !stop.is_requested() {
        let event = generator.next();
        if wait_until_due(&event, 0, stop) == WaitOutcome::Due {
            producer.send(event.record_key, event.payload)?;
        }
    }
    Ok(())
}

fn run_to_redis(
    pipeline: &Pipeline,
    stop: &StopSignal,
    deadline: Option<Instant>,
) -> Result<ExitStatus, CommandFailure> {
    let settings = RedisWriterSettings::default();
    let writer = RedisWriter::start(pipeline, settings, stop.clone())?;
    let ended = run_with_ticks_and_deadline(
        stop,
        deadline,
        || {},
        || {
            let Some(topic) = wait_for_topic(
                &pipeline.source.kafka().brokers,
                &pipeline.source.kafka().topic,
                MissingTopicPolicy::Refuse,
                Some(TOPIC_WAIT_TIMEOUT),
                stop,
            )?
            else {
                return Ok(WorkerOutcome::Stopped);
            };
            let topic_monitor =
                Arc::new(TopicMonitor::new(&topic, &pipeline.source.kafka().brokers, PartitionGrowthPolicy::Accept)?);
            let redis = Some(writer.observer());
            create_worker_pool(pipeline, &topic, topic_monitor, Arc::new(writer.create_fence_claimer()), redis, stop)?
                .run(|_| writer.create_worker_sink())
        },
    )?;
    if ended == WorkerOutcome::StoppedWithUnwrittenRows
        || writer.close(REDIS_DRAIN_TIMEOUT) != WriterCloseOutcome::Drained
    {
        warn!("stopped before Redis acknowledged the last rows");
        return Ok(ExitStatus::UnwrittenRows);
    }
    Ok(ExitStatus::Success)
}

fn run_to_terminal(
    pipeline: &Pipeline,
    stop: &StopSignal,
    deadline: Option<Instant>,
    style: DrawingStyle,
) -> Result<ExitStatus, CommandFailure> {
    let rows = TerminalRowDisplay::new(pipeline, style);
    run_with_ticks_and_deadline(
        stop,
        deadline,
        // Ignore an error of this drawing. If the terminal remains unwritable, the drawing after the end of the job
        // fails too, and reports the error.
        || drop(rows.draw_new_rows()),
        || {
            let Some(topic) = wait_for_topic(
                &pipeline.source.kafka().brokers,
                &pipeline.source.kafka().topic,
                MissingTopicPolicy::Refuse,
                Some(TOPIC_WAIT_TIMEOUT),
                stop,
            )?
            else {
                return Ok(WorkerOutcome::Stopped);
            };
            let topic_monitor =
                Arc::new(TopicMonitor::new(&topic, &pipeline.source.kafka().brokers, PartitionGrowthPolicy::Accept)?);
            create_worker_pool(pipeline, &topic, topic_monitor, Arc::new(NoRowFence), None, stop)?
                .run(|_| rows.create_worker_sink())
        },
    )?;
    rows.draw_new_rows()?;
    Ok(ExitStatus::Success)
}

/// Creates the demo's workers. They share a checkpoint store in memory. If a partition moves between workers, its new
/// owner finds the partition's state in this store.
fn create_worker_pool<'a>(
    pipeline: &'a Pipeline,
    topic: &'a TopicIdentity,
    topic_monitor: Arc<TopicMonitor>,
    fence: Arc<dyn RowFence>,
    redis: Option<RedisWriterObserver>,
    stop: &'a StopSignal,
) -> Result<WorkerPool<'a>, CommandFailure> {
    let place = JobStateFolder::open_in_memory(pipeline)?;
    let checkpoints = place.create_checkpoint_config(pipeline, topic, &topic_monitor, fence, stop)?;
    let monitor = InstanceMonitor::new(MonitoredInstance {
        pipeline,
        topic_identity: topic,
        topic_monitor: Arc::clone(&topic_monitor),
        checkpoint_store_reachability: place.store_reachability,
        redis_writer_observer: redis,
        worker_count: WORKER_COUNT,
        stop_signal: stop.clone(),
    })?;
    Ok(WorkerPool {
        growth_policy: PartitionGrowthPolicy::Refuse,
        pipeline,
        topic_identity: topic,
        topic_monitor,
        checkpoint_config: checkpoints,
        bounded_end_offsets: None,
        group_instance_name_prefix: None,
        instance_monitor: monitor,
        stop_signal: stop,
    })
}

/// Runs `work`. Until `work` ends, another thread calls `tick` every 0.5 s, and requests a stop at `deadline`.
fn run_with_ticks_and_deadline<T: Send>(
    stop: &StopSignal,
    deadline: Option<Instant>,
    tick: impl Fn() + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let done = StopSignal::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_requested() {
                thread::sleep(REDRAW_INTERVAL);
                tick();
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    stop.request();
                }
            }
        });
        let result = work();
        done.request();
        result
    })
}

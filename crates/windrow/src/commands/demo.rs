//! `windrow demo`: the whole job in one process, with nothing installed.
//!
//! The broker is librdkafka's mock and the events are generated; the engine is the real one. Rows are shown in the
//! terminal, or go to a real Redis.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::warn;
use windrow_connectors::kafka::{DevBroker, EventProducer, Topic, TopicGuard, await_topic};
use windrow_connectors::redis::{Closed, RedisWatch, RedisWriter, Settings};
use windrow_engine::{Ended, Fence, NoFence, Stop};
use windrow_generator::{Generator, Settings as Stream};
use windrow_spec::{Override, Pipeline};

use super::generate::wait_until_due;
use crate::cli::DemoArgs;
use crate::crew::Crew;
use crate::exit::{Exit, Failure};
use crate::live_rows::LiveRows;
use crate::observed::Instance;
use crate::state_place::{StatePlace, random_digits};
use crate::{pipeline_file, signals};

const PARTITIONS: i32 = 4;
const WORKERS: usize = 2;
/// Few enough that two hours of them fit into the mock's 5 MB a partition.
const EVENTS_PER_SECOND: f64 = 10.0;
const USERS: u32 = 300;
const BACKLOG: Duration = Duration::from_secs(2 * 60 * 60);
const DISORDER_MS: i64 = 5_000;
const START_PATIENCE: Duration = Duration::from_secs(30);
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
const REDRAW_EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let mut overrides = args.pipeline.set.overrides.clone();
    let mut pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &overrides)?;
    let broker = DevBroker::start(&pipeline.source.topic, PARTITIONS)?;
    overrides.push(Override { path: "source.kafka.brokers".to_owned(), value: broker.brokers() });
    // A group of its own: the rows of a job that runs on the same Redis are not fenced off.
    let group = format!("windrow-demo-{}", random_digits(8)?);
    overrides.push(Override { path: "source.kafka.group".to_owned(), value: group });
    if let Some(url) = &args.redis {
        overrides.push(Override { path: "sink.redis.url".to_owned(), value: url.clone() });
    }
    pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &overrides)?;
    let stop = Stop::default();
    signals::handle(&stop)?;

    let deadline = args.time.map(|time| Instant::now() + time);
    thread::scope(|scope| {
        let events = scope.spawn(|| {
            let sent = send_events(&pipeline, &stop);
            if sent.is_err() {
                stop.request();
            }
            sent
        });
        let ended = if args.redis.is_some() {
            to_redis(&pipeline, &stop, deadline)
        } else {
            to_terminal(&pipeline, &stop, deadline, args.plain || !stdout().is_terminal())
        };
        stop.request();
        let sent = events.join().unwrap_or_else(|_| {
            Err(Failure::new(Exit::Internal, "error: the generator broke down; this is a bug in Windrow"))
        });
        ended.and_then(|exit| sent.map(|()| exit))
    })
}

fn send_events(pipeline: &Pipeline, stop: &Stop) -> Result<(), Failure> {
    let now_ms = Timestamp::now().as_millisecond();
    let backlog_ms = i64::try_from(BACKLOG.as_millis()).unwrap_or(i64::MAX);
    let stream = Stream {
        users: USERS,
        seed: 1,
        start_ms: now_ms - backlog_ms,
        rate: EVENTS_PER_SECOND,
        disorder_ms: DISORDER_MS,
        late_percent: 0.1,
        malformed_percent: 0.01,
    };
    let mut generator =
        Generator::new(stream).map_err(|error| Failure::new(Exit::Internal, format!("error: {error}")))?;
    let producer = EventProducer::new(&pipeline.source.brokers, &pipeline.source.topic, stop.clone())?;
    while !stop.requested() {
        let event = generator.next();
        if wait_until_due(&event, 0, stop) {
            producer.send(event.key, event.payload)?;
        }
    }
    Ok(())
}

fn to_redis(pipeline: &Pipeline, stop: &Stop, deadline: Option<Instant>) -> Result<Exit, Failure> {
    let settings = Settings::default();
    let writer = RedisWriter::start(pipeline, settings, stop.clone())?;
    let ended = with_deadline(
        stop,
        deadline,
        || {},
        || {
            let Some(topic) =
                await_topic(&pipeline.source.brokers, &pipeline.source.topic, Some(START_PATIENCE), stop)?
            else {
                return Ok(Ended::Stopped);
            };
            let guard = Arc::new(TopicGuard::new(&topic, &pipeline.source.brokers, true)?);
            let redis = Some(writer.watch());
            crew(pipeline, &topic, guard, Arc::new(writer.fence()), redis, stop)?.run(|_| writer.sink())
        },
    )?;
    if ended == Ended::StoppedUnwritten || writer.close(CLOSE_PATIENCE) != Closed::Drained {
        warn!("stopped before Redis took the last rows");
        return Ok(Exit::Unwritten);
    }
    Ok(Exit::Success)
}

fn to_terminal(pipeline: &Pipeline, stop: &Stop, deadline: Option<Instant>, plain: bool) -> Result<Exit, Failure> {
    let rows = LiveRows::new(pipeline, plain);
    with_deadline(
        stop,
        deadline,
        // A terminal that cannot be written to ends the demo at its last drawing.
        || drop(rows.draw()),
        || {
            let Some(topic) =
                await_topic(&pipeline.source.brokers, &pipeline.source.topic, Some(START_PATIENCE), stop)?
            else {
                return Ok(Ended::Stopped);
            };
            let guard = Arc::new(TopicGuard::new(&topic, &pipeline.source.brokers, true)?);
            crew(pipeline, &topic, guard, Arc::new(NoFence), None, stop)?.run(|_| rows.sink())
        },
    )?;
    rows.draw()?;
    Ok(Exit::Success)
}

/// The demo's workers. Their state is kept in memory: partitions move between them as they do anywhere.
fn crew<'a>(
    pipeline: &'a Pipeline,
    topic: &'a Topic,
    guard: Arc<TopicGuard>,
    fence: Arc<dyn Fence>,
    redis: Option<RedisWatch>,
    stop: &'a Stop,
) -> Result<Crew<'a>, Failure> {
    let place = StatePlace::in_memory(pipeline)?;
    let checkpoints = place.checkpoints(pipeline, topic, &guard, fence, stop)?;
    let observed = Instance::new(pipeline, topic, &guard, &place.reach, redis, WORKERS, stop)?;
    Ok(Crew { pipeline, topic, guard, checkpoints, ends: None, instance: None, observed, stop })
}

/// Does `work`, calling `tick` now and then and requesting a stop at `deadline`.
fn with_deadline<T: Send>(
    stop: &Stop,
    deadline: Option<Instant>,
    tick: impl Fn() + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let done = Stop::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.requested() {
                thread::sleep(REDRAW_EVERY);
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

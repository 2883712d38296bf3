//! `windrow run`: Kafka → windows → Redis.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrow_connectors::file::FileDeadLetters;
use windrow_connectors::kafka::{KafkaDeadLetters, KafkaSource, Topic, TopicGuard, await_topic};
use windrow_connectors::redis::{Closed, RedisWriter, Settings};
use windrow_core::FeatureView;
use windrow_engine::{
    CountOnly, DeadLetters, Ended, Halt, Handover, Job, MonotonicClock, Positions, Sink, Stop, Worker, WorkerMetrics,
};
use windrow_spec::{DeadLetters as DeadLetterPlace, Pipeline};

use crate::cli::RunArgs;
use crate::exit::{Exit, Failure};
use crate::status::{Totals, count, span, time};
use crate::topic_watch::TopicWatch;
use crate::{pipeline_file, signals};

/// How often a running job says what it did.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How long the last rows may take once all workers have ended.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides)?;
    let stop = Stop::default();
    signals::handle(&stop)?;

    let source = &pipeline.source;
    let Some(topic) = await_topic(&source.brokers, &source.topic, args.start_timeout, &stop)? else {
        return Ok(Exit::Success); // stopped while waiting: nothing was begun
    };
    let settings = Settings { start_timeout: args.start_timeout, ..Settings::default() };
    let writer =
        match RedisWriter::start(&pipeline.sink.url, &pipeline.views, &pipeline.event.schema, settings, stop.clone()) {
            Err(_) if stop.requested() => return Ok(Exit::Success),
            writer => writer?,
        };
    let ends = if args.bounded { Some(topic.ends(&source.brokers)?) } else { None };
    let workers = args.workers.map_or_else(default_workers, usize::from);
    info!(
        pipeline = pipeline.name,
        topic = topic.name,
        partitions = topic.partitions,
        group = source.group,
        workers,
        bounded = args.bounded,
        "running"
    );
    let guard = Arc::new(TopicGuard::new(&topic, &source.brokers, args.accept_partitions)?);
    let instance = args.instance.as_deref();
    let ended = run_workers(&pipeline, &topic, &guard, ends, instance, workers, &stop, |_| writer.sink())?;
    match (writer.close(CLOSE_PATIENCE), ended) {
        (Closed::Drained, Ended::Stopped) if args.bounded => {
            warn!("stopped before the end of the input; nothing is committed, so the next run begins anew");
            Ok(Exit::Partial)
        }
        (Closed::Drained, Ended::Exhausted | Ended::Stopped) => Ok(Exit::Success),
        _ => {
            warn!("stopped before Redis took the last rows; they are computed again after a restart");
            Ok(Exit::Unwritten)
        }
    }
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `workers` workers over `topic` until all have ended; the first that halts stops the others. With `ends`, each
/// reads a fixed share of the partitions up to there; without, the consumer group spreads them.
#[allow(clippy::too_many_arguments)] // each is a different thing
pub(crate) fn run_workers<K: Sink + Send>(
    pipeline: &Pipeline,
    topic: &Topic,
    guard: &Arc<TopicGuard>,
    ends: Option<Positions>,
    instance: Option<&str>,
    workers: usize,
    stop: &Stop,
    mut sink: impl FnMut(usize) -> K,
) -> Result<Ended, Failure> {
    let job = pipeline_file::job(pipeline, &topic.name, topic.partitions > 1, ends.is_some())?;
    let views = Arc::clone(&job.views);
    let dead_letters = DeadLetterOffice::open(pipeline, stop)?;
    let handover = Handover::default();
    let mut shares = ends.map(|ends| shares(&ends, workers));
    let mut all_metrics = Vec::with_capacity(workers);
    let mut ready = Vec::with_capacity(workers);
    for index in 0..workers {
        let source = match &mut shares {
            Some(shares) => {
                let share = std::mem::take(&mut shares[index]);
                KafkaSource::bounded(&pipeline.source, Arc::clone(guard), share, stop.clone())?
            }
            None => {
                // Each worker is a member, so each needs a name of its own.
                let instance = instance.map(|name| format!("{name}-{index}"));
                KafkaSource::join(&pipeline.source, Arc::clone(guard), instance.as_deref(), stop.clone())?
            }
        };
        let metrics = WorkerMetrics::new(views.len());
        all_metrics.push(Arc::clone(&metrics));
        ready.push(Worker::new(
            Job::clone(&job),
            source,
            sink(index),
            dead_letters.desk(),
            MonotonicClock::start(),
            handover.clone(),
            stop.clone(),
            metrics,
        ));
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
                    let guard = StopUnlessEnded { stop, ended: false };
                    // The others halt or stop because of the first: its reason is the one to tell. It is noted before the
                    // guard lets the others go.
                    let halted = |halt| Failure::from(Halt::clone(first_halt.get_or_init(|| halt)));
                    worker.run().map_err(halted).inspect(|_| guard.ended())
                };
                thread::Builder::new().name(format!("worker-{index}")).spawn_scoped(scope, run)
            })
            .collect();
        let topic_watch = TopicWatch::start(guard);
        let mut said = Instant::now();
        while threads.iter().flatten().any(|thread| !thread.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if let Some(halt) = topic_watch.found() {
                first_halt.get_or_init(|| halt.clone());
                stop.request();
            }
            if said.elapsed() >= STATUS_EVERY {
                said = Instant::now();
                say_status(&all_metrics, &views);
            }
        }
        threads
            .into_iter()
            .map(|thread| match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_panic)) => {
                    Err(Failure::new(Exit::Internal, "error: a worker broke down; this is a bug in Windrow"))
                }
                Err(error) => {
                    Err(Failure::new(Exit::Internal, format!("error: cannot start a worker thread: {error}")))
                }
            })
            .collect::<Vec<_>>()
    });
    say_end(&all_metrics, &views, started.elapsed());
    // All at once, since each takes a moment to leave the group, and longer where Kafka is away.
    thread::scope(|scope| ready.into_iter().for_each(|worker| drop(scope.spawn(move || drop(worker)))));
    let mut worst = Ended::Exhausted;
    for outcome in ended {
        worst = worse(worst, outcome?);
    }
    // Workers that were stopped because of the topic ended well.
    first_halt.into_inner().map_or(Ok(worst), |halt| Err(halt.into()))
}

/// Stops all workers when one halts or breaks down.
struct StopUnlessEnded {
    stop: Stop,
    ended: bool,
}

impl StopUnlessEnded {
    fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for StopUnlessEnded {
    fn drop(&mut self) {
        if !self.ended {
            self.stop.request();
        }
    }
}

fn worse(a: Ended, b: Ended) -> Ended {
    let rank = |ended| match ended {
        Ended::Exhausted => 0,
        Ended::Stopped => 1,
        Ended::StoppedUnwritten => 2,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// Partition `p` is read by worker `p % workers`.
fn shares(ends: &Positions, workers: usize) -> Vec<Positions> {
    let mut shares = vec![BTreeMap::new(); workers];
    for (&partition, &end) in ends {
        let worker = usize::try_from(partition).unwrap_or_default() % workers;
        shares[worker].insert(partition, end);
    }
    shares
}

/// Where dead letters of all workers go.
enum DeadLetterOffice {
    Nowhere,
    File(FileDeadLetters),
    Topic(KafkaDeadLetters),
}

impl DeadLetterOffice {
    fn open(pipeline: &Pipeline, stop: &Stop) -> Result<Self, Halt> {
        match &pipeline.dead_letters {
            None => Ok(Self::Nowhere),
            Some(DeadLetterPlace::File(path)) => FileDeadLetters::append(path).map(Self::File),
            Some(DeadLetterPlace::Topic(topic)) => {
                await_topic(&pipeline.source.brokers, topic, None, stop)?;
                KafkaDeadLetters::new(&pipeline.source.brokers, topic, stop.clone()).map(Self::Topic)
            }
        }
    }

    /// One worker's access to it.
    fn desk(&self) -> Box<dyn DeadLetters + Send> {
        match self {
            Self::Nowhere => Box::new(CountOnly),
            Self::File(file) => Box::new(file.clone()),
            Self::Topic(topic) => Box::new(topic.clone()),
        }
    }
}

fn say_status(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView]) {
    let totals = Totals::of(metrics.iter().map(|worker| &**worker), views.len());
    info!(
        records = count(totals.records),
        rows = count(totals.rows()),
        late = count(totals.views.iter().map(|(_, late)| late).sum()),
        dead_letters = count(totals.dead_letters),
        refused_rows = count(totals.refused_rows),
        entities = count(totals.entities),
        watermark = totals.watermark.map(time),
        "status"
    );
}

fn say_end(metrics: &[Arc<WorkerMetrics>], views: &[FeatureView], elapsed: Duration) {
    let totals = Totals::of(metrics.iter().map(|worker| &**worker), views.len());
    let (records, dead_letters) = (count(totals.records), count(totals.dead_letters));
    let refused_rows = count(totals.refused_rows);
    info!(records, dead_letters, refused_rows, after = span(elapsed), "all workers ended");
    for line in totals.per_view(views) {
        info!("{line}");
    }
}

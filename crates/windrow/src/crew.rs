//! The workers of one process: starting them, waiting for them, saying what they did.
//!
//! Owns: their threads, which of several ends is told. Does not own: what a worker does (the engine).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::info;
use windrow_connectors::kafka::{GroupGuard, KafkaSource, Topic, TopicGuard};
use windrow_core::FeatureView;
use windrow_engine::{Checkpoints, Ended, Halt, Job, MonotonicClock, Positions, Sink, Stop, Worker, WorkerMetrics};
use windrow_spec::{GroupProtocol, Pipeline};

use crate::dead_letter_office::DeadLetterOffice;
use crate::exit::{Exit, Failure};
use crate::observed::Instance;
use crate::pipeline_file;
use crate::status::{Totals, bytes, count, span, time};
use crate::topic_watch::TopicWatch;

/// How often a running job says what it did.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// What all workers of a process have in common.
pub(crate) struct Crew<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) topic: &'a Topic,
    pub(crate) guard: Arc<TopicGuard>,
    pub(crate) checkpoints: Checkpoints,
    /// Bounded reading: how far each partition is read.
    pub(crate) ends: Option<Positions>,
    /// A name for static membership in the group.
    pub(crate) instance: Option<&'a str>,
    /// What they say of themselves; it knows how many there are.
    pub(crate) observed: Arc<Instance>,
    pub(crate) stop: &'a Stop,
}

impl Crew<'_> {
    /// Runs until all workers have ended; the first that halts stops the others. With `ends`, each reads a fixed share of
    /// the partitions up to there; without, the consumer group spreads them.
    pub(crate) fn run<K: Sink + Send>(self, mut sink: impl FnMut(usize) -> K) -> Result<Ended, Failure> {
        let Self { pipeline, topic, guard, checkpoints, ends, instance, observed, stop } = self;
        let workers = observed.workers.len();
        let job = pipeline_file::job(pipeline, &topic.name, topic.partitions > 1)?;
        let views = Arc::clone(&job.views);
        let dead_letters = DeadLetterOffice::open(pipeline, stop)?;
        let classic = matches!(pipeline.source.group_protocol, GroupProtocol::Classic { .. });
        let group = match instance {
            Some(_) if ends.is_none() && classic => Some(Arc::new(GroupGuard::new(&pipeline.source)?)),
            _ => None,
        };
        let mut shares = ends.map(|ends| shares(&ends, workers));
        let all_metrics = &observed.workers;
        let mut ready = Vec::with_capacity(workers);
        for index in 0..workers {
            let source = match &mut shares {
                Some(shares) => {
                    let share = std::mem::take(&mut shares[index]);
                    KafkaSource::bounded(&pipeline.source, Arc::clone(&guard), share)?
                }
                None => {
                    // Each worker is a member, so each needs a name of its own.
                    let instance = instance.map(|name| format!("{name}-{index}"));
                    KafkaSource::join(&pipeline.source, Arc::clone(&guard), instance.as_deref(), group.clone())?
                }
            };
            ready.push(Worker::new(
                Job::clone(&job),
                source,
                sink(index),
                dead_letters.desk(),
                MonotonicClock::start(),
                Some(checkpoints.clone()),
                stop.clone(),
                Arc::clone(&all_metrics[index]),
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
            let topic_watch = TopicWatch::start(&guard, group);
            observed.start_sampling();
            let mut said = Instant::now();
            while threads.iter().flatten().any(|thread| !thread.is_finished()) {
                thread::sleep(Duration::from_millis(20));
                if let Some(halt) = topic_watch.found() {
                    first_halt.get_or_init(|| halt.clone());
                    stop.request();
                }
                if said.elapsed() >= STATUS_EVERY {
                    said = Instant::now();
                    say_status(all_metrics, &views);
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
        say_end(all_metrics, &views, started.elapsed());
        // All at once, since each takes a moment to leave the group, and longer where Kafka is away.
        thread::scope(|scope| ready.into_iter().for_each(|worker| drop(scope.spawn(move || drop(worker)))));
        let mut worst = Ended::Exhausted;
        for outcome in ended {
            worst = worse(worst, outcome?);
        }
        // Workers that were stopped because of the topic ended well.
        first_halt.into_inner().map_or(Ok(worst), |halt| Err(halt.into()))
    }
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
        Ended::StoppedUnsaved => 2,
        Ended::StoppedUnwritten => 3,
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
        checkpoints = count(totals.checkpoints),
        checkpoints_failed = count(totals.checkpoints_failed),
        checkpoint_age = totals.checkpoint_age.map(span),
        checkpoint_took = span(totals.checkpoint_took),
        checkpoint_added = bytes(totals.checkpoint_added),
        state = bytes(totals.state),
        pause_max = span(totals.pause_max),
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

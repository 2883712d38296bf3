//! This process as it sees itself: what pages, REST and metrics show of it.
//!
//! Owns: putting together what workers, the Redis writer, the topic's guard, the checkpoint store and the log know, and
//! a sample of it every second, for rates and for the last hour. Does not own: the counters, and who looks.
//! Invariant: nothing here is waited for by a worker.

mod rate_samples;
mod recent_events;
mod recent_history;

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_connectors::kafka::{TopicIdentity, TopicMonitor};
use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{HistogramCounts, PartitionOffsets, PartitionStatus, Reachability, StopSignal, WorkerMetrics};
use windrow_spec::Pipeline;
use windrow_web::report::{
    ChartMark, CheckpointCounts, FreshnessReport, HistogramReport, InstanceState, PartitionReport, ReachabilityReport,
    RedisReport, ViewReport, WorkerReport,
};
use windrow_web::{InstanceReport, ReportSource};

use crate::exit::CommandFailure;
use crate::job_state_folder::{host_name, random_hex_digits};
use crate::logging;
use rate_samples::{CounterSample, CounterValues, RateSamples, WorkerCounterValues};
use recent_history::{ProgressSample, RecentHistory};

/// How often it is looked at what was counted.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Without a record for this long, a partition that was read to its end is idle.
const IDLE_AFTER_MS: i64 = 10_000;
/// Without partitions for this long, an instance counts as running: there may be more of them than partitions.
const READY_AFTER: Duration = Duration::from_secs(10);

/// This process.
pub(crate) struct InstanceMonitor {
    id: String,
    host: String,
    started_at_ms: i64,
    started: Instant,
    /// Where its pages are.
    listen_address: OnceLock<String>,
    topic: TopicIdentity,
    views: Vec<String>,
    pub(crate) workers: Vec<Arc<WorkerMetrics>>,
    redis_watch: Option<RedisWriterObserver>,
    topic_guard: Arc<TopicMonitor>,
    store_reachability: Reachability,
    stop: StopSignal,
    had_partitions: AtomicBool,
    samples: Mutex<RecentSamples>,
}

struct RecentSamples {
    rates: RateSamples,
    history: RecentHistory,
    /// Per worker: the sum of all that moves while it lives, and when that last changed.
    heartbeats: Vec<(u128, Instant)>,
}

impl InstanceMonitor {
    /// The process that runs `pipeline` with `workers` workers.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new(
        pipeline: &Pipeline,
        topic: &TopicIdentity,
        guard: &Arc<TopicMonitor>,
        store: &Reachability,
        redis: Option<RedisWriterObserver>,
        workers: usize,
        stop: &StopSignal,
    ) -> Result<Arc<Self>, CommandFailure> {
        let views: Vec<_> = pipeline.views.iter().map(|view| view.name.to_string()).collect();
        let (now, now_ms) = (Instant::now(), Timestamp::now().as_millisecond());
        let samples = RecentSamples {
            rates: RateSamples::default(),
            history: RecentHistory::default(),
            heartbeats: vec![(0, now); workers],
        };
        Ok(Arc::new(Self {
            id: random_hex_digits(8)? + &random_hex_digits(8)?,
            host: host_name(),
            started_at_ms: now_ms,
            started: now,
            listen_address: OnceLock::new(),
            topic: topic.clone(),
            workers: (0..workers).map(|_| WorkerMetrics::new(views.len())).collect(),
            views,
            redis_watch: redis,
            topic_guard: Arc::clone(guard),
            store_reachability: store.clone(),
            stop: stop.clone(),
            had_partitions: AtomicBool::new(false),
            samples: Mutex::new(samples),
        }))
    }

    /// Its pages are at `address` from now on.
    pub(crate) fn set_listen_address(&self, address: &str) {
        let _ = self.listen_address.set(address.to_owned());
    }

    /// Begins to sample, as long as anybody holds this instance. Where no thread can be had there are no rates.
    pub(crate) fn start_sampling(self: &Arc<Self>) {
        let instance = Arc::downgrade(self);
        let sample = move || {
            while let Some(instance) = instance.upgrade() {
                instance.take_sample();
                drop(instance);
                thread::sleep(SAMPLE_EVERY);
            }
        };
        drop(thread::Builder::new().name("sampler".to_owned()).spawn(sample));
    }

    fn take_sample(&self) {
        let now = Instant::now();
        let now_ms = Timestamp::now().as_millisecond();
        let counts = self.read_counters();
        let partitions = self.partition_reports(now_ms, None);
        if !partitions.is_empty() {
            self.had_partitions.store(true, Ordering::Relaxed);
        }
        let standing = ProgressSample {
            records: counts.workers.iter().map(|worker| worker.records).sum(),
            rows: counts.view_rows.iter().sum(),
            lag: partitions.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b),
            watermark_delay_ms: partitions.iter().filter_map(|partition| Some(now_ms - partition.watermark_ms?)).max(),
            append: counts.append_freshness,
        };
        let mut samples = self.lock_samples();
        for (beat, worker) in samples.heartbeats.iter_mut().zip(&self.workers) {
            let moved = u128::from(worker.time_use.loop_iterations.get()) + worker.time_use.blocked().as_nanos();
            if beat.0 != moved {
                *beat = (moved, now);
            }
        }
        samples.history.add_sample(now_ms, standing);
        samples.rates.add_sample(CounterSample { at: now, counts });
    }

    fn lock_samples(&self) -> MutexGuard<'_, RecentSamples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted now.
    fn read_counters(&self) -> CounterValues {
        let status = self.redis_watch.as_ref().map(RedisWriterObserver::status).unwrap_or_default();
        let worker = |worker: &Arc<WorkerMetrics>| WorkerCounterValues {
            records: worker.records.get(),
            busy: worker.time_use.busy(),
            idle: worker.time_use.idle(),
            blocked: worker.time_use.blocked(),
        };
        let rows = |view: usize| self.workers.iter().map(|worker| worker.views[view].rows.get()).sum();
        let (event_time, append) = self.read_freshness();
        CounterValues {
            workers: self.workers.iter().map(worker).collect(),
            view_rows: (0..self.views.len()).map(rows).collect(),
            partitions: self
                .partition_facts()
                .map(|(_, facts)| ((facts.partition, facts.epoch), facts.records))
                .collect(),
            rows_written: status.rows_written,
            transactions: status.transactions,
            transaction_time: status.transaction_time,
            event_time_freshness: event_time,
            append_freshness: append,
        }
    }

    fn read_freshness(&self) -> (HistogramCounts, HistogramCounts) {
        self.redis_watch.as_ref().map_or_else(Default::default, |redis| {
            let freshness = redis.freshness();
            (freshness.since_event_time.counts(), freshness.since_append.counts())
        })
    }

    fn partition_facts(&self) -> impl Iterator<Item = (usize, PartitionStatus)> {
        let of = |(index, worker): (usize, &Arc<WorkerMetrics>)| {
            worker.partitions.get().into_iter().map(move |facts| (index, facts))
        };
        self.workers.iter().enumerate().flat_map(of)
    }

    fn partition_reports(&self, now_ms: i64, rates: Option<&RateSamples>) -> Vec<PartitionReport> {
        // While Kafka is away nobody knows whether there is something to read.
        let away = self.topic_guard.reachability().outage().is_some();
        let ends = self.topic_guard.end_offsets();
        let mut partitions: Vec<_> = self
            .partition_facts()
            .map(|(worker, facts)| partition_report(worker, &facts, &ends, now_ms, rates))
            .collect();
        partitions.iter_mut().for_each(|partition| partition.idle &= !away);
        partitions.sort_by_key(|partition| partition.partition);
        partitions
    }

    fn instance_state(&self) -> InstanceState {
        let ready = || {
            let away = self.topic_guard.reachability().outage().is_some() || self.store_reachability.outage().is_some();
            !away && self.started.elapsed() >= READY_AFTER
        };
        if self.stop.is_requested() {
            InstanceState::Stopping
        } else if self.had_partitions.load(Ordering::Relaxed) || ready() {
            InstanceState::Running
        } else {
            InstanceState::Starting
        }
    }

    fn worker_report(&self, index: usize, samples: &RecentSamples) -> WorkerReport {
        let worker = &self.workers[index];
        let times = &worker.time_use;
        let spent = |of: fn(&WorkerCounterValues) -> Duration| {
            samples.rates.rate_per_second(|counts| {
                counts.workers.get(index).map_or(0.0, |counts| of(counts).as_secs_f64() * 1e3)
            })
        };
        WorkerReport {
            records: worker.records.get(),
            bytes: worker.bytes.get(),
            records_per_s: samples
                .rates
                .rate_per_second(|counts| count_as_f64(counts.workers.get(index).map_or(0, |one| one.records))),
            dead_letters: worker.dead_letters.get(),
            refused_rows: worker.refused_rows.get(),
            rows_there: worker.rows_already_written.get(),
            entities: worker.entities.load(Ordering::Relaxed),
            busy_ms: whole_milliseconds(times.busy()),
            idle_ms: whole_milliseconds(times.idle()),
            backpressured_ms: whole_milliseconds(times.blocked()),
            busy_ms_per_s: spent(|counts| counts.busy),
            idle_ms_per_s: spent(|counts| counts.idle),
            backpressured_ms_per_s: spent(|counts| counts.blocked),
            decode_share: times.decode_share(),
            pause_ms_max: worker.checkpoints.max_pause().as_secs_f64() * 1e3,
            beat_age_ms: match samples.heartbeats.get(index) {
                Some((_, at)) if !worker.time_use.ended() => whole_milliseconds(at.elapsed()),
                _ => 0,
            },
        }
    }

    fn view_report(&self, index: usize, name: &str, rates: &RateSamples) -> ViewReport {
        let sum = |of: &dyn Fn(&WorkerMetrics) -> u64| self.workers.iter().map(|worker| of(worker)).sum();
        ViewReport {
            name: name.to_owned(),
            rows: sum(&|worker| worker.views[index].rows.get()),
            rows_per_s: rates.rate_per_second(|counts| count_as_f64(counts.view_rows.get(index).copied().unwrap_or(0))),
            late_events: sum(&|worker| worker.views[index].late_events.get()),
            entities: sum(&|worker| worker.views[index].entities.load(Ordering::Relaxed)),
        }
    }

    fn redis_report(&self, now_ms: i64, rates: &RateSamples) -> RedisReport {
        let Some(redis) = &self.redis_watch else { return RedisReport::default() };
        let status = redis.status();
        let away = status.outage.as_ref();
        RedisReport {
            reach: ReachabilityReport {
                away_since_ms: away.map(|away| now_ms - i64::try_from(away.duration.as_millis()).unwrap_or(0)),
                reason: away.map(|away| away.reason.clone()),
            },
            rows_written: status.rows_written,
            rows_per_s: rates.rate_per_second(|counts| count_as_f64(counts.rows_written)),
            transactions: status.transactions,
            transaction_seconds: status.transaction_time.as_secs_f64(),
            transaction_ms: rates.mean_transaction_ms().unwrap_or_else(|| {
                if status.transactions == 0 {
                    0.0
                } else {
                    status.transaction_time.as_secs_f64() * 1e3 / count_as_f64(status.transactions)
                }
            }),
            waiting_bytes: status.waiting_bytes as u64,
            waiting_bytes_limit: status.waiting_bytes_limit as u64,
            rows_refused: status.rows_refused,
            rows_dropped: status.rows_dropped,
            reconnects: status.reconnects,
        }
    }

    fn checkpoint_counts(&self) -> CheckpointCounts {
        let mut counts = CheckpointCounts::default();
        for checkpoints in self.workers.iter().map(|worker| &worker.checkpoints) {
            counts.completed += checkpoints.completed.get();
            counts.failed += checkpoints.failed.get();
            counts.in_progress += checkpoints.in_progress_count() as u64;
            counts.restored += checkpoints.restores.get();
            counts.fenced += checkpoints.partitions_fenced.get();
        }
        counts
    }
}

impl ReportSource for InstanceMonitor {
    fn report(&self) -> InstanceReport {
        let now_ms = Timestamp::now().as_millisecond();
        let samples = self.lock_samples();
        let rates = &samples.rates;
        let (event_time, append) = self.read_freshness();
        let started = ChartMark {
            at_ms: self.started_at_ms,
            kind: "started".to_owned(),
            text: format!("pid {} on {}, Windrow {}", process::id(), self.host, env!("CARGO_PKG_VERSION")),
        };
        InstanceReport {
            instance: self.id.clone(),
            host: self.host.clone(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: now_ms,
            state: self.instance_state(),
            workers: (0..self.workers.len()).map(|index| self.worker_report(index, &samples)).collect(),
            views: self.views.iter().enumerate().map(|(index, name)| self.view_report(index, name, rates)).collect(),
            partitions: self.partition_reports(now_ms, Some(rates)),
            topic_partitions: self.topic.partition_count,
            kafka: reach_report(self.topic_guard.reachability()),
            redis: self.redis_report(now_ms, rates),
            checkpoint_store: reach_report(&self.store_reachability),
            freshness: FreshnessReport {
                event_time: histogram_report(
                    &event_time,
                    rates.histogram_of_last_minute(|counts| &counts.event_time_freshness),
                ),
                append: histogram_report(&append, rates.histogram_of_last_minute(|counts| &counts.append_freshness)),
            },
            checkpoints: recent_events::recent_checkpoints(&self.workers),
            checkpoint_counts: self.checkpoint_counts(),
            restored: recent_events::recent_restores(&self.workers),
            history: samples.history.moments().collect(),
            marks: recent_events::recent_marks(&self.workers, started),
            late_events: recent_events::recent_late_events(&self.workers, &self.views),
            dead_letters: recent_events::recent_dead_letters(&self.workers),
            exceptions: logging::recent_exceptions(),
            savepoints: Vec::new(), // the web server knows them
        }
    }
}

fn partition_report(
    worker: usize,
    facts: &PartitionStatus,
    ends: &PartitionOffsets,
    now_ms: i64,
    rates: Option<&RateSamples>,
) -> PartitionReport {
    // What was read since the end was asked for may lie behind it.
    let end = ends.get(&facts.partition).map(|&end| facts.offset.map_or(end, |offset| offset.max(end)));
    let lag = end.zip(facts.offset).and_then(|(end, offset)| u64::try_from(end - offset).ok());
    let quiet_since = facts.last_record_at_ms.unwrap_or(facts.opened_at_ms);
    let records = |counts: &CounterValues| {
        count_as_f64(counts.partitions.get(&(facts.partition, facts.epoch)).copied().unwrap_or(0))
    };
    PartitionReport {
        partition: facts.partition,
        epoch: facts.epoch,
        worker,
        offset: facts.offset,
        end_offset: end,
        lag,
        watermark_ms: facts.watermark.map(windrow_core::EventTime::ms),
        event_time_ms: facts.max_event_time.map(windrow_core::EventTime::ms),
        idle: lag == Some(0) && now_ms - quiet_since >= IDLE_AFTER_MS,
        last_record_at_ms: facts.last_record_at_ms,
        last_appended_ms: facts.last_record_timestamp_ms,
        records: facts.records,
        records_per_s: rates.map_or(0.0, |rates| rates.rate_per_second(records)),
        entities: facts.entities,
        state_bytes: facts.state_bytes,
        checkpoint_offset: facts.checkpoint_offset,
        checkpoint_age_ms: facts.checkpoint_at_ms.map(|at_ms| u64::try_from(now_ms - at_ms).unwrap_or(0)),
    }
}

fn reach_report(reachability: &Reachability) -> ReachabilityReport {
    let absence = reachability.outage();
    ReachabilityReport { away_since_ms: absence.as_ref().map(|it| it.since_ms), reason: absence.map(|it| it.reason) }
}

fn histogram_report(all: &HistogramCounts, lately: HistogramCounts) -> HistogramReport {
    HistogramReport {
        bounds: HistogramCounts::bounds_ms().iter().map(|&ms| count_as_f64(ms) / 1e3).collect(),
        counts: all.counts.to_vec(),
        sum: count_as_f64(all.sum_ms) / 1e3,
        p50_ms: lately.quantile_ms(0.5),
        p99_ms: lately.quantile_ms(0.99),
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss)] // a rate, or a number of seconds
fn count_as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline_file;

    fn instance(stop: &StopSignal) -> Arc<InstanceMonitor> {
        let pipeline = pipeline_file::load(None, &[]).expect("the shipped pipeline");
        let topic = TopicIdentity { name: "events".to_owned(), partition_count: 4, id: None };
        // Nobody is asked before somebody checks.
        let guard = Arc::new(TopicMonitor::new(&topic, "localhost:1", false).expect("settings that fit"));
        InstanceMonitor::new(&pipeline, &topic, &guard, &Reachability::default(), None, 2, stop)
            .expect("random numbers")
    }

    #[test]
    fn an_instance_says_who_it_is_and_what_it_does() {
        let stop = StopSignal::default();
        let (one, other) = (instance(&stop), instance(&stop));
        let report = one.report();
        assert!(report.instance.len() == 16 && report.instance.chars().all(|c| c.is_ascii_hexdigit()), "{report:?}");
        assert_ne!(report.instance, other.report().instance);
        assert_eq!((report.pid, report.version.as_str()), (process::id(), env!("CARGO_PKG_VERSION")));
        assert_eq!((report.workers.len(), report.topic_partitions, report.state), (2, 4, InstanceState::Starting));
        assert_eq!(report.marks.iter().map(|mark| mark.kind.as_str()).collect::<Vec<_>>(), ["started"]);
        let views: Vec<_> = report.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(views, ["user_features", "session_features"]);
        one.set_listen_address("127.0.0.1:8081");
        assert_eq!(one.report().listen, "127.0.0.1:8081");
        stop.request();
        assert_eq!(one.report().state, InstanceState::Stopping);
    }

    #[test]
    fn what_workers_count_is_added_up_and_has_a_rate() {
        let instance = instance(&StopSignal::default());
        instance.take_sample();
        for worker in &instance.workers {
            worker.records.add(1_000_000);
            worker.views[1].rows.add(30);
            worker.views[1].late_events.add(2);
        }
        thread::sleep(Duration::from_millis(20));
        instance.take_sample();
        let report = instance.report();
        assert_eq!((report.views[1].rows, report.views[1].late_events, report.views[0].rows), (60, 4, 0));
        assert!(report.views[1].rows_per_s > 0.0 && report.views[0].rows_per_s == 0.0, "{:?}", report.views);
        assert!(report.workers.iter().all(|worker| worker.records == 1_000_000 && worker.records_per_s > 0.0));
        assert!(report.workers.iter().all(|worker| worker.beat_age_ms >= 20), "no turn, no beat");
    }

    #[test]
    fn what_is_away_is_said_until_it_is_back() {
        let instance = instance(&StopSignal::default());
        assert_eq!(instance.report().checkpoint_store, ReachabilityReport::default());
        instance.store_reachability.mark_unreachable("the disk is full");
        let first = instance.report().checkpoint_store;
        assert!(first.away_since_ms.is_some_and(|since_ms| since_ms >= instance.started_at_ms), "{first:?}");
        instance.store_reachability.mark_unreachable("the disk is gone");
        let second = instance.report().checkpoint_store;
        assert_eq!(second, ReachabilityReport { reason: Some("the disk is gone".to_owned()), ..first });
        instance.store_reachability.mark_reachable();
        assert_eq!(instance.report().checkpoint_store, ReachabilityReport::default());
    }
}

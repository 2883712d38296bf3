//! Observes this process: what pages, REST and metrics show of it.
//!
//! Owns: the report, assembled from the metrics of workers, Redis writer, topic, checkpoint store and log; and samples of
//! the counters every second, for rates and for the last hour. Does not own: the counters, and the server that shows them.
//! Invariant: no worker waits for anything here. After a crash samples and lists start empty.
//!
//! ```text
//! WorkerMetrics, RedisWriterObserver ──► counter_values ──► rate_samples ──┐
//!                                    └──────────────────► recent_history ──┼──► reports, recent_events ──► InstanceReport
//!                                    └─────────────────► worker_heartbeats ┘
//! ```

mod counter_values;
mod rate_samples;
mod recent_events;
mod recent_history;
mod reports;
mod worker_heartbeats;

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::kafka::{TopicIdentity, TopicMonitor};
use windrow_connectors::outage::Reachability;
use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{StopSignal, WorkerMetrics};
use windrow_spec::Pipeline;
use windrow_web::report::{ChartMark, InstanceState, PartitionReport, RedisReport};
use windrow_web::{InstanceReport, ReportSource};

use crate::exit::CommandFailure;
use crate::job_state_folder::{host_name, random_hex_digits};
use crate::logging;
use crate::wall_clock::now_ms;
use counter_values::{CounterValues, FreshnessCounts};
use rate_samples::{CounterSample, RateSamples};
use recent_history::{ProgressSample, RecentHistory};
use reports::OwnedPartitionStatus;
use worker_heartbeats::WorkerHeartbeats;

/// Time between two samples of the counters.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// An instance without partitions counts as running after this time, since there may be fewer partitions than workers.
const READY_AFTER: Duration = Duration::from_secs(10);

/// What an [`InstanceMonitor`] observes.
pub(crate) struct MonitoredInstance<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) topic: &'a TopicIdentity,
    pub(crate) topic_monitor: Arc<TopicMonitor>,
    pub(crate) store_reachability: Reachability,
    /// `None` where rows do not go to Redis.
    pub(crate) redis: Option<RedisWriterObserver>,
    pub(crate) workers: usize,
    pub(crate) stop: StopSignal,
}

/// Observes this process and reports on it.
pub(crate) struct InstanceMonitor {
    id: String,
    host: String,
    started_at_ms: i64,
    started: Instant,
    /// The address of its pages.
    listen_address: OnceLock<String>,
    topic: TopicIdentity,
    views: Vec<String>,
    pub(crate) workers: Vec<Arc<WorkerMetrics>>,
    redis: Option<RedisWriterObserver>,
    topic_monitor: Arc<TopicMonitor>,
    store_reachability: Reachability,
    stop: StopSignal,
    had_partitions: AtomicBool,
    samples: Mutex<RecentSamples>,
}

struct RecentSamples {
    rates: RateSamples,
    history: RecentHistory,
    heartbeats: WorkerHeartbeats,
}

impl InstanceMonitor {
    /// Creates the metrics of the workers and observes them.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub(crate) fn new(monitored: MonitoredInstance<'_>) -> Result<Arc<Self>, CommandFailure> {
        let MonitoredInstance { pipeline, topic, topic_monitor, store_reachability, redis, workers, stop } = monitored;
        let views: Vec<_> = pipeline.views.iter().map(|view| view.name.to_string()).collect();
        let started = Instant::now();
        let samples = RecentSamples {
            rates: RateSamples::default(),
            history: RecentHistory::default(),
            heartbeats: WorkerHeartbeats::new(workers, started),
        };
        Ok(Arc::new(Self {
            id: random_hex_digits(16)?,
            host: host_name(),
            started_at_ms: now_ms(),
            started,
            listen_address: OnceLock::new(),
            topic: topic.clone(),
            workers: (0..workers).map(|_| WorkerMetrics::new(views.len())).collect(),
            views,
            redis,
            topic_monitor,
            store_reachability,
            stop,
            had_partitions: AtomicBool::new(false),
            samples: Mutex::new(samples),
        }))
    }

    /// Sets the address of its pages, once.
    pub(crate) fn set_listen_address(&self, address: &str) {
        let _ = self.listen_address.set(address.to_owned());
    }

    /// Starts the sampling thread, which ends with the last reference to this monitor. If it cannot start, there are no
    /// rates.
    pub(crate) fn start_sampling(self: &Arc<Self>) {
        let monitor = Arc::downgrade(self);
        let sample = move || {
            while let Some(monitor) = monitor.upgrade() {
                monitor.take_sample();
                drop(monitor);
                thread::sleep(SAMPLE_INTERVAL);
            }
        };
        drop(thread::Builder::new().name("sampler".to_owned()).spawn(sample));
    }

    fn take_sample(&self) {
        let (now, now_ms) = (Instant::now(), now_ms());
        let counters = CounterValues::read(&self.workers, self.views.len(), self.redis.as_ref());
        let partitions = self.partition_reports(now_ms, None);
        if !partitions.is_empty() {
            self.had_partitions.store(true, Ordering::Relaxed);
        }
        let progress = ProgressSample {
            records: counters.workers.iter().map(|worker| worker.records).sum(),
            rows: counters.view_rows.iter().sum(),
            lag: partitions.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b),
            watermark_delay_ms: partitions.iter().filter_map(|partition| Some(now_ms - partition.watermark_ms?)).max(),
            append: counters.freshness.since_append,
        };
        let mut samples = self.lock_samples();
        samples.heartbeats.update(&self.workers, now);
        samples.history.add_sample(now_ms, progress);
        samples.rates.add_sample(CounterSample { at: now, counts: counters });
    }

    fn lock_samples(&self) -> MutexGuard<'_, RecentSamples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the partitions of all workers, by number.
    fn partition_reports(&self, now_ms: i64, rates: Option<&RateSamples>) -> Vec<PartitionReport> {
        let end_offsets = self.topic_monitor.end_offsets();
        // While Kafka is unreachable, a partition may have records that are not known.
        let is_kafka_reachable = self.topic_monitor.reachability().outage().is_none();
        let mut partitions = Vec::new();
        for (worker, metrics) in self.workers.iter().enumerate() {
            for status in metrics.partitions.get() {
                let owned = OwnedPartitionStatus { worker, status };
                let mut report = reports::partition_report(&owned, &end_offsets, now_ms, rates);
                report.idle &= is_kafka_reachable;
                partitions.push(report);
            }
        }
        partitions.sort_by_key(|partition| partition.partition);
        partitions
    }

    fn instance_state(&self) -> InstanceState {
        let is_ready = || {
            let outages = [self.topic_monitor.reachability().outage(), self.store_reachability.outage()];
            outages.iter().all(Option::is_none) && self.started.elapsed() >= READY_AFTER
        };
        if self.stop.is_requested() {
            InstanceState::Stopping
        } else if self.had_partitions.load(Ordering::Relaxed) || is_ready() {
            InstanceState::Running
        } else {
            InstanceState::Starting
        }
    }

    fn started_mark(&self) -> ChartMark {
        ChartMark {
            at_ms: self.started_at_ms,
            kind: "started".to_owned(),
            text: format!("pid {} on {}, Windrow {}", process::id(), self.host, env!("CARGO_PKG_VERSION")),
        }
    }
}

impl ReportSource for InstanceMonitor {
    fn report(&self) -> InstanceReport {
        let now_ms = now_ms();
        let samples = self.lock_samples();
        let rates = &samples.rates;
        let worker_report = |(index, worker): (usize, &Arc<WorkerMetrics>)| {
            reports::worker_report(index, worker, rates, samples.heartbeats.age(index))
        };
        let view_report = |(index, name): (usize, &String)| reports::view_report(index, name, &self.workers, rates);
        let redis_report = |redis: &RedisWriterObserver| reports::redis_report(redis, now_ms, rates);
        let freshness = self.redis.as_ref().map(FreshnessCounts::read).unwrap_or_default();
        InstanceReport {
            instance: self.id.clone(),
            host: self.host.clone(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: now_ms,
            state: self.instance_state(),
            workers: self.workers.iter().enumerate().map(worker_report).collect(),
            views: self.views.iter().enumerate().map(view_report).collect(),
            partitions: self.partition_reports(now_ms, Some(rates)),
            topic_partitions: self.topic.partition_count,
            kafka: reports::reach_report(self.topic_monitor.reachability()),
            redis: self.redis.as_ref().map_or_else(RedisReport::default, redis_report),
            checkpoint_store: reports::reach_report(&self.store_reachability),
            freshness: reports::freshness_report(&freshness, rates),
            checkpoints: recent_events::recent_checkpoints(&self.workers),
            checkpoint_counts: reports::checkpoint_counts(&self.workers),
            restored: recent_events::recent_restores(&self.workers),
            history: samples.history.moments().collect(),
            marks: recent_events::recent_marks(&self.workers, self.started_mark()),
            late_events: recent_events::recent_late_events(&self.workers, &self.views),
            dead_letters: recent_events::recent_dead_letters(&self.workers),
            exceptions: logging::recent_exceptions(),
            savepoints: Vec::new(), // the web server adds them
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrow_connectors::kafka::PartitionGrowth;
    use windrow_web::report::ReachabilityReport;

    use crate::pipeline_file;

    fn create_monitor(stop: &StopSignal) -> Arc<InstanceMonitor> {
        let pipeline = pipeline_file::load(None, &[]).expect("the shipped pipeline");
        let topic = TopicIdentity { name: "events".to_owned(), partition_count: 4, id: None };
        // It connects to Kafka only when it checks the topic.
        let topic_monitor =
            Arc::new(TopicMonitor::new(&topic, "localhost:1", PartitionGrowth::Refuse).expect("valid settings"));
        InstanceMonitor::new(MonitoredInstance {
            pipeline: &pipeline,
            topic: &topic,
            topic_monitor,
            store_reachability: Reachability::default(),
            redis: None,
            workers: 2,
            stop: stop.clone(),
        })
        .expect("random numbers")
    }

    #[test]
    fn an_instance_says_who_it_is_and_what_it_does() {
        let stop = StopSignal::default();
        let (one, other) = (create_monitor(&stop), create_monitor(&stop));
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
        let instance = create_monitor(&StopSignal::default());
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
        let instance = create_monitor(&StopSignal::default());
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

//! Observes this process and builds the instance's report, which pages, REST API and metrics show.
//!
//! Owns: the report, and the samples of all counters. A thread takes a sample once a second. The monitor computes rates
//! and the history of the last hour from the samples.
//! Does not own: the counters (workers, Redis writer), and the server that shows the report.
//! Invariant: no worker waits for the monitor. All samples and lists are in memory, so they are empty after a restart
//! of the process.
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
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windrow_connectors::kafka::{TopicIdentity, TopicMonitor};
use windrow_connectors::outage::SharedOutageTracker;
use windrow_connectors::redis::RedisWriterObserver;
use windrow_engine::{StopSignal, WorkerMetrics};
use windrow_spec::Pipeline;
use windrow_web::report::{ChartMark, InstanceState, PartitionReport, RedisWriterReport};
use windrow_web::{InstanceReport, ReportSource};

use crate::exit::CommandFailure;
use crate::job_state_folder::{random_hex_digits, read_host_name};
use crate::logging;
use crate::wall_clock::now_ms;
use counter_values::{CounterValues, FreshnessHistograms};
use rate_samples::{CounterSample, RateSamples};
use recent_history::{ProgressSample, RecentHistory};
use reports::{OwnedPartitionStatus, ReportedViewNames};
use worker_heartbeats::WorkerHeartbeats;

/// The time between two samples of all counters.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// The time since its start after which an instance without partitions counts as running. If the topic has fewer
/// partitions than the job has workers, an instance may never own a partition.
const READY_WITHOUT_PARTITIONS_AFTER: Duration = Duration::from_secs(10);

/// The components that an [`InstanceMonitor`] observes.
pub(crate) struct MonitoredInstance<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) topic_identity: &'a TopicIdentity,
    pub(crate) topic_monitor: Arc<TopicMonitor>,
    pub(crate) checkpoint_store_reachability: SharedOutageTracker,
    /// The counters of the Redis writer; `None` if rows do not go to Redis.
    pub(crate) redis_writer_observer: Option<RedisWriterObserver>,
    pub(crate) worker_count: usize,
    pub(crate) stop_signal: StopSignal,
}

/// Observes this process and builds the instance's reports.
pub(crate) struct InstanceMonitor {
    instance_id: String,
    host: String,
    started_at_ms: i64,
    started: Instant,
    /// The address at which the instance serves its pages.
    listen_address: OnceLock<String>,
    topic_identity: TopicIdentity,
    view_names: Vec<String>,
    reported_view_names: Vec<ReportedViewNames>,
    pub(crate) worker_metrics: Vec<Arc<WorkerMetrics>>,
    redis_writer_observer: Option<RedisWriterObserver>,
    topic_monitor: Arc<TopicMonitor>,
    checkpoint_store_reachability: SharedOutageTracker,
    stop_signal: StopSignal,
    had_partitions: AtomicBool,
    recent_samples: Mutex<RecentSamples>,
}

struct RecentSamples {
    rates: RateSamples,
    history: RecentHistory,
    heartbeats: WorkerHeartbeats,
}

impl InstanceMonitor {
    /// Creates the metrics of all workers, and a monitor that reads these metrics.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub(crate) fn new(monitored: MonitoredInstance<'_>) -> Result<Arc<Self>, CommandFailure> {
        let MonitoredInstance {
            pipeline,
            topic_identity,
            topic_monitor,
            checkpoint_store_reachability,
            redis_writer_observer: redis,
            worker_count: workers,
            stop_signal: stop,
        } = monitored;
        let views: Vec<_> = pipeline.views.iter().map(|view| view.name.to_string()).collect();
        let started = Instant::now();
        let samples = RecentSamples {
            rates: RateSamples::default(),
            history: RecentHistory::default(),
            heartbeats: WorkerHeartbeats::new(workers, started),
        };
        Ok(Arc::new(Self {
            instance_id: random_hex_digits(16)?,
            host: read_host_name(),
            started_at_ms: now_ms(),
            started,
            listen_address: OnceLock::new(),
            topic_identity: topic_identity.clone(),
            worker_metrics: (0..workers).map(|_| WorkerMetrics::new(views.len())).collect(),
            view_names: views,
            reported_view_names: pipeline.views.iter().map(ReportedViewNames::new).collect(),
            redis_writer_observer: redis,
            topic_monitor,
            checkpoint_store_reachability,
            stop_signal: stop,
            had_partitions: AtomicBool::new(false),
            recent_samples: Mutex::new(samples),
        }))
    }

    /// Sets the address at which the instance serves its pages. Only the first call has an effect.
    pub(crate) fn set_listen_address(&self, address: &str) {
        let _ = self.listen_address.set(address.to_owned());
    }

    /// Starts the thread that samples the counters. The thread ends when the monitor is dropped. If the thread cannot
    /// start, all rates are 0.
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
        let counters =
            CounterValues::read(&self.worker_metrics, self.view_names.len(), self.redis_writer_observer.as_ref());
        let partitions = self.partition_reports(now_ms, None);
        if !partitions.is_empty() {
            self.had_partitions.store(true, Ordering::Relaxed);
        }
        let progress = ProgressSample {
            total_records_read: counters.values_by_worker.iter().map(|worker| worker.records_read).sum(),
            total_fired_rows: counters.fired_rows_by_view.iter().sum(),
            total_lag_records: partitions.iter().filter_map(|partition| partition.lag).reduce(|a, b| a + b),
            max_watermark_delay_ms: partitions
                .iter()
                .filter_map(|partition| Some(now_ms - partition.watermark_ms?))
                .max(),
            row_age_since_kafka_timestamp: counters.freshness_histograms.row_age_since_kafka_timestamp,
        };
        let mut samples = self.recent_samples.lock();
        samples.heartbeats.record_progress(&self.worker_metrics, now);
        samples.history.add_sample(now_ms, progress);
        samples.rates.add_sample(CounterSample { taken_at: now, counter_values: counters });
    }

    /// Builds a report of each partition that a worker of this process owns, ordered by partition number. Without
    /// `rates`, all rates in these reports are 0.
    fn partition_reports(&self, now_ms: i64, rates: Option<&RateSamples>) -> Vec<PartitionReport> {
        let end_offsets = self.topic_monitor.last_end_offsets();
        // While Kafka is unreachable, no partition counts as idle, because Kafka may hold new records that no worker
        // can read.
        let is_kafka_reachable = self.topic_monitor.reachability().ongoing_outage().is_none();
        let mut partitions = Vec::new();
        for (worker, metrics) in self.worker_metrics.iter().enumerate() {
            for status in metrics.partition_statuses.list_published() {
                let owned = OwnedPartitionStatus { worker_index: worker, partition_status: status };
                let mut report = reports::build_partition_report(&owned, &end_offsets, now_ms, rates);
                report.is_idle &= is_kafka_reachable;
                partitions.push(report);
            }
        }
        partitions.sort_by_key(|partition| partition.partition);
        partitions
    }

    fn instance_state(&self) -> InstanceState {
        let is_ready = || {
            let outages = [
                self.topic_monitor.reachability().ongoing_outage(),
                self.checkpoint_store_reachability.ongoing_outage(),
            ];
            outages.iter().all(Option::is_none) && self.started.elapsed() >= READY_WITHOUT_PARTITIONS_AFTER
        };
        if self.stop_signal.is_requested() {
            InstanceState::Stopping
        } else if self.had_partitions.load(Ordering::Relaxed) || is_ready() {
            InstanceState::Running
        } else {
            InstanceState::Starting
        }
    }

    fn create_started_mark(&self) -> ChartMark {
        ChartMark {
            occurred_at_ms: self.started_at_ms,
            mark_kind: "started".to_owned(),
            mark_label: format!("pid {} on {}, Windrow {}", process::id(), self.host, env!("CARGO_PKG_VERSION")),
        }
    }
}

impl ReportSource for InstanceMonitor {
    fn current_report(&self) -> InstanceReport {
        let now_ms = now_ms();
        let samples = self.recent_samples.lock();
        let rates = &samples.rates;
        let worker_report = |(index, worker): (usize, &Arc<WorkerMetrics>)| {
            reports::build_worker_report(index, worker, rates, samples.heartbeats.time_since_progress(index))
        };
        let view_report = |(index, names)| reports::build_view_report(index, names, &self.worker_metrics, rates);
        let redis_report = |redis: &RedisWriterObserver| reports::build_redis_report(redis, now_ms, rates);
        let freshness = self.redis_writer_observer.as_ref().map(FreshnessHistograms::read).unwrap_or_default();
        InstanceReport {
            instance_id: self.instance_id.clone(),
            host: self.host.clone(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen_address: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: now_ms,
            state: self.instance_state(),
            workers: self.worker_metrics.iter().enumerate().map(worker_report).collect(),
            views: self.reported_view_names.iter().enumerate().map(view_report).collect(),
            owned_partitions: self.partition_reports(now_ms, Some(rates)),
            topic_partition_count: self.topic_identity.partition_count,
            kafka_reachability: reports::build_reachability_report(self.topic_monitor.reachability()),
            redis_writer: self.redis_writer_observer.as_ref().map_or_else(RedisWriterReport::default, redis_report),
            checkpoint_store_reachability: reports::build_reachability_report(&self.checkpoint_store_reachability),
            freshness: reports::build_freshness_report(&freshness, rates),
            recent_checkpoints: recent_events::recent_checkpoints(&self.worker_metrics),
            checkpoint_counts: reports::sum_checkpoint_counts(&self.worker_metrics),
            recent_restores: recent_events::recent_restores(&self.worker_metrics),
            parked_partitions: reports::build_parked_partition_reports(&self.worker_metrics),
            missing_rows: recent_events::missing_rows(&self.worker_metrics),
            history: samples.history.completed_steps().collect(),
            recent_chart_marks: recent_events::recent_chart_marks(&self.worker_metrics, self.create_started_mark()),
            recent_late_events: recent_events::recent_late_events(&self.worker_metrics, &self.view_names),
            recent_dead_letters: recent_events::recent_dead_letters(&self.worker_metrics),
            recent_input_problems: recent_events::recent_input_problems(&self.worker_metrics),
            recent_logged_problems: logging::recent_warnings_and_errors(),
            requested_savepoints: Vec::new(), // the web server adds the savepoints
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrow_connectors::kafka::PartitionGrowthPolicy;
    use windrow_web::report::ReachabilityReport;

    use crate::pipeline_file;

    fn create_monitor(stop: &StopSignal) -> Arc<InstanceMonitor> {
        let pipeline = pipeline_file::load(None, &[]).expect("the shipped pipeline");
        let topic = TopicIdentity { name: "events".to_owned(), partition_count: 4, id: None };
        // No Kafka needs to run at this address. A topic monitor connects to Kafka only to check the topic, and these
        // tests do not start a check.
        let topic_monitor =
            Arc::new(TopicMonitor::new(&topic, "localhost:1", PartitionGrowthPolicy::Refuse).expect("valid settings"));
        InstanceMonitor::new(MonitoredInstance {
            pipeline: &pipeline,
            topic_identity: &topic,
            topic_monitor,
            checkpoint_store_reachability: SharedOutageTracker::default(),
            redis_writer_observer: None,
            worker_count: 2,
            stop_signal: stop.clone(),
        })
        .expect("random numbers")
    }

    #[test]
    fn an_instance_says_who_it_is_and_what_it_does() {
        let stop = StopSignal::default();
        let (one, other) = (create_monitor(&stop), create_monitor(&stop));
        let report = one.current_report();
        assert!(
            report.instance_id.len() == 16 && report.instance_id.chars().all(|c| c.is_ascii_hexdigit()),
            "{report:?}"
        );
        assert_ne!(report.instance_id, other.current_report().instance_id);
        assert_eq!((report.pid, report.version.as_str()), (process::id(), env!("CARGO_PKG_VERSION")));
        assert_eq!((report.workers.len(), report.topic_partition_count, report.state), (2, 4, InstanceState::Starting));
        assert_eq!(
            report.recent_chart_marks.iter().map(|mark| mark.mark_kind.as_str()).collect::<Vec<_>>(),
            ["started"]
        );
        let views: Vec<_> = report.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(views, ["user_features", "session_features"]);
        one.set_listen_address("127.0.0.1:8081");
        assert_eq!(one.current_report().listen_address, "127.0.0.1:8081");
        stop.request();
        assert_eq!(one.current_report().state, InstanceState::Stopping);
    }

    #[test]
    fn what_workers_count_is_added_up_and_has_a_rate() {
        let instance = create_monitor(&StopSignal::default());
        instance.take_sample();
        for worker in &instance.worker_metrics {
            worker.records_read.add(1_000_000);
            worker.view_metrics[1].fired_rows.add(30);
            worker.view_metrics[1].late_events.add(2);
        }
        thread::sleep(Duration::from_millis(20));
        instance.take_sample();
        let report = instance.current_report();
        assert_eq!(
            (report.views[1].rows_fired, report.views[1].late_event_count, report.views[0].rows_fired),
            (60, 4, 0)
        );
        assert!(
            report.views[1].rows_fired_per_s > 0.0 && report.views[0].rows_fired_per_s == 0.0,
            "{:?}",
            report.views
        );
        assert!(
            report.workers.iter().all(|worker| worker.records_read == 1_000_000 && worker.records_read_per_s > 0.0)
        );
        assert!(report.workers.iter().all(|worker| worker.heartbeat_age_ms >= 20), "no turn, no beat");
    }

    #[test]
    fn what_is_away_is_said_until_it_is_back() {
        let instance = create_monitor(&StopSignal::default());
        assert_eq!(instance.current_report().checkpoint_store_reachability, ReachabilityReport::default());
        instance.checkpoint_store_reachability.mark_unreachable("the disk is full");
        let first = instance.current_report().checkpoint_store_reachability;
        assert!(first.unreachable_since_ms.is_some_and(|since_ms| since_ms >= instance.started_at_ms), "{first:?}");
        instance.checkpoint_store_reachability.mark_unreachable("the disk is gone");
        let second = instance.current_report().checkpoint_store_reachability;
        assert_eq!(second, ReachabilityReport { unreachable_reason: Some("the disk is gone".to_owned()), ..first });
        instance.checkpoint_store_reachability.mark_reachable();
        assert_eq!(instance.current_report().checkpoint_store_reachability, ReachabilityReport::default());
    }
}

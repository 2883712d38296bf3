//! The report that an instance shows while its start waits for Kafka and Redis.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use windrow_connectors::redis::{self, WrittenRow};
use windrow_web::report::{InstanceState, ReachabilityReport, RedisWriterReport};
use windrow_web::{InstanceReport, RecentRowSource, ReportSource};

use crate::exit::CommandFailure;
use crate::instance_monitor::InstanceMonitor;
use crate::job_state_folder::{random_hex_digits, read_host_name};
use crate::wall_clock::now_ms;

/// The source of an instance's report. Until the job is connected to Kafka and Redis, the report says that the instance
/// is starting. Afterwards, the instance's monitor builds the report.
pub(super) struct StartupReporter {
    instance_id: String,
    started_at_ms: i64,
    listen_address: OnceLock<String>,
    topic_found: AtomicBool,
    running_job: OnceLock<RunningJobSources>,
}

/// The sources of data about a running job.
struct RunningJobSources {
    monitor: Arc<InstanceMonitor>,
    recent_rows: redis::RecentRows,
}

impl StartupReporter {
    /// Creates the reporter with a random instance id.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub(super) fn new() -> Result<Self, CommandFailure> {
        Ok(Self {
            instance_id: random_hex_digits(16)?,
            started_at_ms: now_ms(),
            listen_address: OnceLock::new(),
            topic_found: AtomicBool::new(false),
            running_job: OnceLock::new(),
        })
    }

    /// Sets the address at which the instance serves its pages. Only the first call has an effect.
    pub(super) fn set_listen_address(&self, address: String) {
        let _ = self.listen_address.set(address);
    }

    /// Records that Kafka has the topic. From now on, reports say that the start waits for Redis.
    pub(super) fn mark_topic_found(&self) {
        self.topic_found.store(true, Ordering::Relaxed);
    }

    /// Makes `current_report` return the reports of `monitor` from now on, and makes `newest_rows` return the rows in
    /// `rows`.
    pub(super) fn switch_to_monitor_reports(&self, monitor: &Arc<InstanceMonitor>, rows: redis::RecentRows) {
        monitor.set_listen_address(self.listen_address.get().map_or("", String::as_str));
        let _ = self.running_job.set(RunningJobSources { monitor: Arc::clone(monitor), recent_rows: rows });
    }

    /// Builds a report that says: a service has been unreachable since the start of the instance, for the reason
    /// `reason`.
    fn unreachable_since_start_report(&self, reason: &str) -> ReachabilityReport {
        ReachabilityReport {
            unreachable_since_ms: Some(self.started_at_ms),
            unreachable_reason: Some(reason.to_owned()),
        }
    }
}

impl ReportSource for StartupReporter {
    fn current_report(&self) -> InstanceReport {
        if let Some(job) = self.running_job.get() {
            return InstanceReport { instance_id: self.instance_id.clone(), ..job.monitor.current_report() };
        }
        let (mut kafka, mut redis) = (ReachabilityReport::default(), ReachabilityReport::default());
        if self.topic_found.load(Ordering::Relaxed) {
            redis = self.unreachable_since_start_report("the start waits for Redis");
        } else {
            kafka = self.unreachable_since_start_report("the start waits for Kafka and the topic");
        }
        InstanceReport {
            instance_id: self.instance_id.clone(),
            host: read_host_name(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen_address: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: now_ms(),
            state: InstanceState::Starting,
            kafka_reachability: kafka,
            redis_writer: RedisWriterReport { reachability: redis, ..RedisWriterReport::default() },
            ..InstanceReport::default()
        }
    }
}

impl RecentRowSource for StartupReporter {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.running_job.get().map(|job| job.recent_rows.newest_rows(limit, user)).unwrap_or_default()
    }
}

//! The report of an instance from the start of its web server on.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use windrow_connectors::redis::{self, WrittenRow};
use windrow_web::report::{InstanceState, ReachabilityReport, RedisReport};
use windrow_web::{InstanceReport, RecentRowSource, ReportSource};

use crate::exit::CommandFailure;
use crate::instance_monitor::InstanceMonitor;
use crate::job_state_folder::{host_name, random_hex_digits};
use crate::wall_clock::now_ms;

/// Reports that the instance is starting until the job has Kafka and Redis, and then what its monitor reports.
pub(super) struct StartupReporter {
    instance_id: String,
    started_at_ms: i64,
    listen_address: OnceLock<String>,
    kafka_found: AtomicBool,
    running_job: OnceLock<RunningJob>,
}

/// What a job that runs can show.
struct RunningJob {
    monitor: Arc<InstanceMonitor>,
    rows: redis::RecentRows,
}

impl StartupReporter {
    /// Creates the reporter under a random id.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub(super) fn new() -> Result<Self, CommandFailure> {
        Ok(Self {
            instance_id: random_hex_digits(16)?,
            started_at_ms: now_ms(),
            listen_address: OnceLock::new(),
            kafka_found: AtomicBool::new(false),
            running_job: OnceLock::new(),
        })
    }

    /// Sets the address of the pages, once.
    pub(super) fn set_listen_address(&self, address: String) {
        let _ = self.listen_address.set(address);
    }

    /// Records that Kafka has the topic.
    pub(super) fn mark_kafka_found(&self) {
        self.kafka_found.store(true, Ordering::Relaxed);
    }

    /// Reports what `monitor` reports from now on.
    pub(super) fn show_monitor(&self, monitor: &Arc<InstanceMonitor>, rows: redis::RecentRows) {
        monitor.set_listen_address(self.listen_address.get().map_or("", String::as_str));
        let _ = self.running_job.set(RunningJob { monitor: Arc::clone(monitor), rows });
    }

    /// Reports what the start waits for as unreachable.
    fn waiting_since_start(&self, reason: &str) -> ReachabilityReport {
        ReachabilityReport { away_since_ms: Some(self.started_at_ms), reason: Some(reason.to_owned()) }
    }
}

impl ReportSource for StartupReporter {
    fn report(&self) -> InstanceReport {
        if let Some(job) = self.running_job.get() {
            return InstanceReport { instance: self.instance_id.clone(), ..job.monitor.report() };
        }
        let (mut kafka, mut redis) = (ReachabilityReport::default(), ReachabilityReport::default());
        if self.kafka_found.load(Ordering::Relaxed) {
            redis = self.waiting_since_start("the start waits for it");
        } else {
            kafka = self.waiting_since_start("the start waits for it, and for the topic");
        }
        InstanceReport {
            instance: self.instance_id.clone(),
            host: host_name(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: now_ms(),
            state: InstanceState::Starting,
            kafka,
            redis: RedisReport { reach: redis, ..RedisReport::default() },
            ..InstanceReport::default()
        }
    }
}

impl RecentRowSource for StartupReporter {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.running_job.get().map(|job| job.rows.newest_rows(limit, user)).unwrap_or_default()
    }
}

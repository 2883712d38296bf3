//! The report of one process.

use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointCounts, CheckpointReport, RestoreReport};
use super::freshness::FreshnessReport;
use super::history::{ChartMark, HistorySample};
use super::partition::PartitionReport;
use super::problem::{DeadLetterReport, ExceptionReport, LateEventReport};
use super::reachability::ReachabilityReport;
use super::redis::RedisReport;
use super::savepoint::SavepointReport;
use super::view::ViewReport;
use super::worker::WorkerReport;

/// One process of a job.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct InstanceReport {
    /// 16 hexadecimal digits, unique to the process.
    pub instance: String,
    /// The name of the machine.
    pub host: String,
    /// The process id on that machine.
    pub pid: u32,
    /// Windrow's version.
    pub version: String,
    /// The address of its own pages, such as `127.0.0.1:8081`; empty if it serves none.
    pub listen: String,
    /// When the process started.
    pub started_at_ms: i64,
    /// When this report was written.
    pub reported_at_ms: i64,
    /// What the process is doing.
    pub state: InstanceState,
    /// One report per worker thread, by worker number.
    pub workers: Vec<WorkerReport>,
    /// One report per feature view, in the pipeline's order.
    pub views: Vec<ViewReport>,
    /// The partitions that it owns, by number.
    pub partitions: Vec<PartitionReport>,
    /// The number of partitions of the topic.
    pub topic_partitions: i32,
    /// Whether Kafka is reachable.
    pub kafka: ReachabilityReport,
    /// The connection to Redis and its writer.
    pub redis: RedisReport,
    /// Whether the checkpoint store is reachable.
    pub checkpoint_store: ReachabilityReport,
    /// Delays from an event to its row.
    pub freshness: FreshnessReport,
    /// Checkpoints and savepoints of its partitions, newest first; bounded.
    pub checkpoints: Vec<CheckpointReport>,
    /// Checkpoints and restores, counted since the start.
    pub checkpoint_counts: CheckpointCounts,
    /// Restored partitions, newest first; bounded.
    pub restored: Vec<RestoreReport>,
    /// The last hour, oldest first.
    pub history: Vec<HistorySample>,
    /// Moments worth a mark on a chart, newest first; bounded.
    pub marks: Vec<ChartMark>,
    /// Late events, newest first; bounded.
    pub late_events: Vec<LateEventReport>,
    /// Dead letters and refused rows, newest first; bounded.
    pub dead_letters: Vec<DeadLetterReport>,
    /// Warnings and errors of its log, newest first; bounded.
    pub exceptions: Vec<ExceptionReport>,
    /// Savepoints requested from this instance over HTTP, newest first; bounded. The web server adds them.
    pub savepoints: Vec<SavepointReport>,
}

/// What an instance is doing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It waits for Kafka, for Redis or for its first partitions.
    #[default]
    Starting,
    /// It owns partitions, or is ready to own them.
    Running,
    /// It was asked to stop.
    Stopping,
}

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

/// The report of one process of a job.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct InstanceReport {
    /// The name of the instance: 16 hexadecimal digits, unique to the process.
    pub instance: String,
    /// The host name of the machine.
    pub host: String,
    /// The process id on that machine.
    pub pid: u32,
    /// The version of Windrow.
    pub version: String,
    /// The address of the process's web server, such as `127.0.0.1:8081`; empty without a server.
    pub listen: String,
    /// The time at which the process started.
    pub started_at_ms: i64,
    /// The time at which the report was built.
    pub reported_at_ms: i64,
    /// The state of the process.
    pub state: InstanceState,
    /// The reports of the worker threads, by worker number.
    pub workers: Vec<WorkerReport>,
    /// The reports of the feature views, in the order of the pipeline.
    pub views: Vec<ViewReport>,
    /// The reports of the partitions that the instance owns, by partition number.
    pub partitions: Vec<PartitionReport>,
    /// The number of partitions of the topic.
    pub topic_partitions: i32,
    /// Whether Kafka is reachable.
    pub kafka: ReachabilityReport,
    /// The state of the connection to Redis, and counts of writes.
    pub redis: RedisReport,
    /// Whether the checkpoint store is reachable.
    pub checkpoint_store: ReachabilityReport,
    /// The delays from an event to its row in Redis.
    pub freshness: FreshnessReport,
    /// The checkpoints and savepoints of its partitions, newest first. The number is limited.
    pub checkpoints: Vec<CheckpointReport>,
    /// The counts of checkpoints and restores since the start.
    pub checkpoint_counts: CheckpointCounts,
    /// The restored partitions, newest first. The number is limited.
    pub restored: Vec<RestoreReport>,
    /// The last hour, oldest sample first.
    pub history: Vec<HistorySample>,
    /// The marks for charts, newest first. The number is limited.
    pub marks: Vec<ChartMark>,
    /// The late events, newest first. The number is limited.
    pub late_events: Vec<LateEventReport>,
    /// The dead letters and refused rows, newest first. The number is limited.
    pub dead_letters: Vec<DeadLetterReport>,
    /// The warnings and errors that the process logged, newest first. The number is limited.
    pub exceptions: Vec<ExceptionReport>,
    /// The savepoints requested from this instance over HTTP, newest first. The web server adds them; their number is
    /// limited.
    pub savepoints: Vec<SavepointReport>,
}

/// The state of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// The instance waits for Kafka, for Redis or for its first partitions.
    #[default]
    Starting,
    /// The instance owns partitions, or is ready to own them.
    Running,
    /// The instance was requested to stop.
    Stopping,
}

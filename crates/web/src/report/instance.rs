//! The report of one process of a job, with the reports of its workers, its partitions and its other components.

use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointCounts, CheckpointReport, RestoreReport};
use super::freshness::FreshnessReport;
use super::history::{ChartMark, HistorySample};
use super::partition::PartitionReport;
use super::problem::{
    DeadLetterReport, InputProblemReport, LateEventReport, LoggedProblemReport, MissingRowsReport,
    ParkedPartitionReport,
};
use super::reachability::ReachabilityReport;
use super::redis::RedisWriterReport;
use super::savepoint::RequestedSavepointReport;
use super::view::ViewReport;
use super::worker::WorkerReport;

/// Everything that one process of a job publishes about itself. Each list of recent items has a limited length.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct InstanceReport {
    /// The id of the instance: 16 random hexadecimal digits. Each start of a process creates a new id.
    #[serde(rename = "instance")]
    pub instance_id: String,
    /// The host name of the machine.
    pub host: String,
    /// The process id given by the operating system.
    pub pid: u32,
    /// The version of Windrow.
    pub version: String,
    /// The address of the instance's web server, such as `127.0.0.1:8081`; empty if the instance has no web server.
    #[serde(rename = "listen")]
    pub listen_address: String,
    /// The time at which the process started.
    pub started_at_ms: i64,
    /// The time at which the report was built.
    pub reported_at_ms: i64,
    /// The state of the process.
    pub state: InstanceState,
    /// The reports of the worker threads, ordered by worker index.
    pub workers: Vec<WorkerReport>,
    /// The reports of the feature views, in the order of the pipeline file.
    pub views: Vec<ViewReport>,
    /// The reports of the partitions that the instance owns, ordered by partition number.
    #[serde(rename = "partitions")]
    pub owned_partitions: Vec<PartitionReport>,
    /// The number of all partitions of the topic, including partitions without an owner.
    #[serde(rename = "topic_partitions")]
    pub topic_partition_count: i32,
    /// Whether Kafka is reachable.
    #[serde(rename = "kafka")]
    pub kafka_reachability: ReachabilityReport,
    /// Whether Redis is reachable, and how much the instance has written to Redis.
    #[serde(rename = "redis")]
    pub redis_writer: RedisWriterReport,
    /// Whether the checkpoint store is reachable.
    #[serde(rename = "checkpoint_store")]
    pub checkpoint_store_reachability: ReachabilityReport,
    /// How long rows take to reach Redis, measured from the records that make the rows' windows fire.
    pub freshness: FreshnessReport,
    /// The newest checkpoints of partitions, newest first. The list includes checkpoints that were taken for a
    /// savepoint.
    #[serde(rename = "checkpoints")]
    pub recent_checkpoints: Vec<CheckpointReport>,
    /// Counts of checkpoints, and of restored and lost partitions, since the start of the instance.
    pub checkpoint_counts: CheckpointCounts,
    /// The newest restores of partitions, newest first.
    #[serde(rename = "restored")]
    pub recent_restores: Vec<RestoreReport>,
    /// What the instance measured in the last hour: one sample for each ten seconds, oldest first.
    pub history: Vec<HistorySample>,
    /// The newest changes that charts show as vertical lines, newest first.
    #[serde(rename = "marks")]
    pub recent_chart_marks: Vec<ChartMark>,
    /// The newest late events, newest first.
    #[serde(rename = "late_events")]
    pub recent_late_events: Vec<LateEventReport>,
    /// The partitions that workers have parked because of a fault, ordered by partition number.
    pub parked_partitions: Vec<ParkedPartitionReport>,
    /// Rows that Redis has lost and that no kept checkpoint produces again, newest first.
    pub missing_rows: Vec<MissingRowsReport>,
    /// The newest dead letters, newest first: undecodable records, and rows that Redis refused.
    #[serde(rename = "dead_letters")]
    pub recent_dead_letters: Vec<DeadLetterReport>,
    /// The newest fault of the input of each kind.
    #[serde(rename = "input_problems")]
    pub recent_input_problems: Vec<InputProblemReport>,
    /// The newest warnings and errors that the process logged, newest first.
    #[serde(rename = "exceptions")]
    pub recent_logged_problems: Vec<LoggedProblemReport>,
    /// The newest savepoints that were requested from this instance over HTTP, newest first. The web server fills this
    /// field.
    #[serde(rename = "savepoints")]
    pub requested_savepoints: Vec<RequestedSavepointReport>,
}

/// What an instance is doing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// The instance waits for Kafka, for Redis or for its first partitions.
    #[default]
    Starting,
    /// The instance owns or has owned partitions, or is ready to own partitions.
    Running,
    /// The instance was requested to stop.
    Stopping,
}

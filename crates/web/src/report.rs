//! What an instance says of itself: everything that pages, REST and metrics show of it.
//!
//! Owns: the words and units. An instance publishes its report in the checkpoint store, so that any instance can show the
//! whole job; hence every field has a default, and unknown ones are ignored: instances of two versions read each other.
//! Times are wall clock in epoch milliseconds unless they are called event time or watermark; rates are per second.

use serde::{Deserialize, Serialize};

/// One process of a job.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct InstanceReport {
    /// 16 hexadecimal digits that no other process has.
    pub instance: String,
    /// The machine's name.
    pub host: String,
    /// The process id there.
    pub pid: u32,
    /// Windrow's version.
    pub version: String,
    /// Where its own pages are, such as `127.0.0.1:8081`; empty where it serves none.
    pub listen: String,
    /// When it started, and when this was written.
    pub started_at_ms: i64,
    /// See [`Self::started_at_ms`].
    pub reported_at_ms: i64,
    /// What it is doing.
    pub state: InstanceState,
    /// Its workers.
    pub workers: Vec<WorkerReport>,
    /// Per feature view, in the pipeline's order.
    pub views: Vec<ViewReport>,
    /// The partitions it owns, by number.
    pub partitions: Vec<PartitionReport>,
    /// How many partitions the topic has.
    pub topic_partitions: i32,
    /// The parts it depends on.
    pub kafka: ReachabilityReport,
    /// See [`RedisReport`].
    pub redis: RedisReport,
    /// The checkpoint store.
    pub checkpoint_store: ReachabilityReport,
    /// From an event to its row.
    pub freshness: FreshnessReport,
    /// Checkpoints and savepoints of its partitions, newest first; bounded.
    pub checkpoints: Vec<CheckpointReport>,
    /// Since the start: checkpoints completed, failed, under way; partitions restored, and lost to another owner.
    pub checkpoint_counts: CheckpointCounts,
    /// Restored partitions, newest first; bounded.
    pub restored: Vec<RestoreReport>,
    /// The last hour, oldest first.
    pub history: Vec<HistorySample>,
    /// Moments worth a mark on a chart, newest first; bounded.
    pub marks: Vec<ChartMark>,
    /// Newest first; bounded.
    pub late_events: Vec<LateEventReport>,
    /// Newest first; bounded.
    pub dead_letters: Vec<DeadLetterReport>,
    /// Warnings and errors of its log, newest first; bounded.
    pub exceptions: Vec<ExceptionReport>,
    /// The savepoints that were asked for here, newest first; bounded. The web server adds them.
    pub savepoints: Vec<SavepointReport>,
}

/// What an instance is doing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It waits for Kafka, Redis or its first partitions.
    #[default]
    Starting,
    /// It owns partitions, or is ready to.
    Running,
    /// It was asked to stop.
    Stopping,
}

/// One worker thread.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct WorkerReport {
    /// Records read since the start, dead letters included; and their bytes.
    pub records: u64,
    /// See [`Self::records`].
    pub bytes: u64,
    /// Records per second, over the last ten seconds.
    pub records_per_s: f64,
    /// Records that were no events.
    pub dead_letters: u64,
    /// Rows that Redis refused.
    pub refused_rows: u64,
    /// Rows that were in Redis already when they were computed again.
    pub rows_there: u64,
    /// Entities with state.
    pub entities: u64,
    /// Milliseconds since the start spent on records, waiting for records, and waiting for Redis to take rows.
    pub busy_ms: u64,
    /// See [`Self::busy_ms`].
    pub idle_ms: u64,
    /// See [`Self::busy_ms`].
    pub backpressured_ms: u64,
    /// The same, per second, over the last ten seconds: the three add up to about 1,000.
    pub busy_ms_per_s: f64,
    /// See [`Self::busy_ms_per_s`].
    pub idle_ms_per_s: f64,
    /// See [`Self::busy_ms_per_s`].
    pub backpressured_ms_per_s: f64,
    /// The share of busy time that goes into decoding, from a sample; the rest is windows.
    pub decode_share: f64,
    /// The longest that saving state kept it from its records, in milliseconds.
    pub pause_ms_max: f64,
    /// Since its loop last came round, in milliseconds.
    pub beat_age_ms: u64,
}

/// One feature view, over the instance's partitions.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ViewReport {
    /// Its name.
    pub name: String,
    /// Rows that fired since the start.
    pub rows: u64,
    /// Rows per second, over the last ten seconds.
    pub rows_per_s: f64,
    /// Events that were late for it since the start.
    pub late_events: u64,
    /// Users that have state in it.
    pub entities: u64,
}

/// A partition that the instance owns.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct PartitionReport {
    /// Its number.
    pub partition: i32,
    /// The epoch it is owned under.
    pub epoch: u64,
    /// The worker that has it.
    pub worker: usize,
    /// The offset of the next record.
    pub offset: Option<i64>,
    /// The offset after the last record in Kafka, as far as known.
    pub end_offset: Option<i64>,
    /// Records between the two.
    pub lag: Option<u64>,
    /// How far its event time is complete, in epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// The largest event time so far.
    pub event_time_ms: Option<i64>,
    /// Everything there is was read, and nothing came for ten seconds.
    pub idle: bool,
    /// When a record came last.
    pub last_record_at_ms: Option<i64>,
    /// When that record was produced or appended, by its timestamp in Kafka.
    pub last_appended_ms: Option<i64>,
    /// Records since it was opened here.
    pub records: u64,
    /// Records per second, over the last ten seconds.
    pub records_per_s: f64,
    /// Users with state.
    pub entities: u64,
    /// Bytes of its last checkpoint, all layers.
    pub state_bytes: u64,
    /// The offset of its last complete checkpoint, and its age in milliseconds.
    pub checkpoint_offset: Option<i64>,
    /// See [`Self::checkpoint_offset`].
    pub checkpoint_age_ms: Option<u64>,
}

/// Whether something that the job depends on is there.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ReachabilityReport {
    /// Since when it has been away; absent while all is well.
    pub away_since_ms: Option<i64>,
    /// Why, in its own words.
    pub reason: Option<String>,
}

/// Redis, as its writer sees it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RedisReport {
    /// Whether it is there.
    pub reach: ReachabilityReport,
    /// Rows written since the start, and per second over the last ten seconds.
    pub rows_written: u64,
    /// See [`Self::rows_written`].
    pub rows_per_s: f64,
    /// Transactions since the start, how long they took together, and the typical one lately.
    pub transactions: u64,
    /// Seconds, see [`Self::produce_transactions`].
    pub transaction_seconds: f64,
    /// Milliseconds, see [`Self::produce_transactions`].
    pub transaction_ms: f64,
    /// Bytes of rows that wait, and how many may.
    pub waiting_bytes: u64,
    /// See [`Self::waiting_bytes`].
    pub waiting_bytes_limit: u64,
    /// Rows refused, and rows dropped because their partition was lost.
    pub rows_refused: u64,
    /// See [`Self::rows_refused`].
    pub rows_dropped: u64,
    /// Connections opened after the first.
    pub reconnects: u64,
}

/// From an event to its row in Redis. For each row: the record whose arrival made its window fire.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct FreshnessReport {
    /// From the record's event time to Redis.
    pub event_time: HistogramReport,
    /// From the record's timestamp in Kafka to Redis.
    pub append: HistogramReport,
}

/// A histogram since the start, and its recent quantiles.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistogramReport {
    /// Upper bounds in seconds, ascending, without +∞.
    pub bounds: Vec<f64>,
    /// How many lie at or below each bound and above the one before; one more than bounds, the last up to +∞.
    pub counts: Vec<u64>,
    /// The sum in seconds.
    pub sum: f64,
    /// Quantiles over the last minute, in milliseconds; absent where there was no row.
    pub p50_ms: Option<f64>,
    /// See [`Self::p50_ms`].
    pub p99_ms: Option<f64>,
}

/// A checkpoint of one partition, or its part of a savepoint.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointReport {
    /// The partition.
    pub partition: i32,
    /// Epoch and number.
    pub epoch: u64,
    /// See [`Self::epoch_object`].
    pub number: u64,
    /// The savepoint it is part of; absent for a checkpoint.
    pub savepoint: Option<String>,
    /// How it stands.
    pub status: CheckpointStatus,
    /// When it was begun (cut), and when it ended.
    pub began_at_ms: i64,
    /// See [`Self::started_at_ms`].
    pub ended_at_ms: Option<i64>,
    /// The offset it holds the state of.
    pub offset: i64,
    /// Bytes that it added, and that all its layers have.
    pub added_bytes: u64,
    /// See [`Self::added_bytes`].
    pub state_bytes: u64,
    /// Why it failed.
    pub failure: Option<String>,
    /// Where it lies.
    pub place: String,
}

/// How a checkpoint stands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointStatus {
    /// It is being taken.
    #[default]
    InProgress,
    /// It counts.
    Completed,
    /// It does not.
    Failed,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct CheckpointCounts {
    /// Complete.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Under way now.
    pub in_progress: u64,
    /// Partitions restored.
    pub restored: u64,
    /// Partitions that somebody else took over while this instance believed to own them.
    pub fenced: u64,
}

/// A partition that was restored.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RestoreReport {
    /// The partition.
    pub partition: i32,
    /// The checkpoint's epoch and number.
    pub epoch: u64,
    /// See [`Self::epoch_object`].
    pub number: u64,
    /// When, and how long it took.
    pub at_ms: i64,
    /// See [`Self::at_ms`].
    pub took_ms: u64,
    /// The place of the savepoint (`--from`) it came from, where it did.
    pub savepoint: Option<String>,
    /// Its offset.
    pub offset: Option<i64>,
}

/// Ten seconds of the last hour; [`Self::at_ms`] is their beginning, a multiple of ten seconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct HistorySample {
    /// When.
    pub at_ms: i64,
    /// Records and rows in these ten seconds.
    pub records: u64,
    /// See [`Self::records`].
    pub rows: u64,
    /// Lag in records at the end of them.
    pub lag: Option<u64>,
    /// Wall clock less watermark, the largest of the instance's partitions, at the end.
    pub watermark_delay_ms: Option<i64>,
    /// From Kafka to Redis, of the rows of these ten seconds.
    pub freshness_p50_ms: Option<f64>,
    /// See [`Self::freshness_p50_ms`].
    pub freshness_p99_ms: Option<f64>,
}

/// Something that happened to the job.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ChartMark {
    /// When.
    pub at_ms: i64,
    /// `started`, `assigned`, `revoked`, `savepoint`, `checkpoint_failed`.
    pub kind: String,
    /// For people.
    pub text: String,
}

/// A record's bytes, as far as they are kept.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RecordExcerpt {
    /// As text; what is not UTF-8 is replaced.
    pub text: String,
    /// Whether all of them are UTF-8.
    pub utf8: bool,
    /// How many there are; more than `text` holds where it was cut.
    pub bytes: u64,
}

/// An event that came too late for a feature view.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct LateEventReport {
    /// When it was seen.
    pub at_ms: i64,
    /// The views it was late for.
    pub feature_views: Vec<String>,
    /// The entity.
    pub key: String,
    /// Its event time.
    pub event_time_ms: i64,
    /// The partition's watermark then.
    pub watermark_ms: Option<i64>,
    /// Where it lies in Kafka.
    pub partition: i32,
    /// See [`Self::partition`].
    pub offset: i64,
    /// The record.
    pub record: RecordExcerpt,
}

/// A record that was no event, or a row that Redis refused.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DeadLetterReport {
    /// When it was seen.
    pub at_ms: i64,
    /// `record` or `row`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Where it lies in Kafka; absent for a row.
    pub partition: Option<i32>,
    /// See [`Self::partition`].
    pub offset: Option<i64>,
    /// The record's key, or the row's key in Redis.
    pub key: Option<RecordExcerpt>,
    /// The record; absent for a row, and for Kafka's null value.
    pub record: Option<RecordExcerpt>,
}

/// A warning or an error of the log.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ExceptionReport {
    /// When.
    pub at_ms: i64,
    /// `warn` or `error`.
    pub level: String,
    /// The part of Windrow that said it.
    pub target: String,
    /// What it said, with its fields.
    pub message: String,
}

/// A savepoint that was asked for over HTTP.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct SavepointReport {
    /// The name of the request, by which its outcome is asked for.
    pub request: String,
    /// How it stands.
    pub status: CheckpointStatus,
    /// How many partitions are in it, and how many there are; 0 while that is not known.
    pub saved: usize,
    /// See [`Self::saved`].
    pub partitions: usize,
    /// Where it lies, or is to lie.
    pub location: String,
    /// Why it failed.
    pub failure: Option<String>,
}

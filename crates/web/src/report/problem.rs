//! Reports of late events, dead letters, faults of the input, and logged warnings and errors.

use serde::{Deserialize, Serialize};

/// The first bytes of a record or of a key, as text.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RecordExcerpt {
    /// The first bytes of the record or key, as text. U+FFFD replaces invalid UTF-8.
    #[serde(rename = "text")]
    pub excerpt_text: String,
    /// Whether the first bytes of the record or key are valid UTF-8.
    #[serde(rename = "utf8")]
    pub is_valid_utf8: bool,
    /// The size of the whole record or key, in bytes. The excerpt may hold only the first of these bytes.
    #[serde(rename = "bytes")]
    pub full_size_bytes: u64,
}

/// An event that arrived after all its windows of a feature view had closed.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct LateEventReport {
    /// The time at which the worker processed the late event.
    #[serde(rename = "at_ms")]
    pub processed_at_ms: i64,
    /// The names of the feature views for which the event was late.
    #[serde(rename = "feature_views")]
    pub late_for_views: Vec<String>,
    /// The entity key of the event.
    #[serde(rename = "key")]
    pub entity_key: String,
    /// The event time, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The watermark of the partition just before the worker processed the late event, in epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// The Kafka partition of the record that holds the event.
    pub partition: i32,
    /// The Kafka offset of the record that holds the event.
    pub offset: i64,
    /// The first bytes of the record's value.
    #[serde(rename = "record")]
    pub record_excerpt: RecordExcerpt,
}

/// Rows of one feature view that Redis has lost and that no kept checkpoint produces again.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct MissingRowsReport {
    /// The time at which a worker noticed that the rows are missing.
    #[serde(rename = "at_ms")]
    pub noticed_at_ms: i64,
    /// The Kafka partition that produced the rows.
    pub partition: i32,
    /// The name of the feature view.
    #[serde(rename = "feature_view")]
    pub view_name: String,
    /// The number of missing rows.
    #[serde(rename = "rows")]
    pub row_count: u64,
    /// Which rows are missing: their numbers, and the event times and offsets between which they fired.
    #[serde(rename = "what")]
    pub description: String,
}

/// A partition that a worker has parked because of a fault. The worker does not read it, and opens it again later.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ParkedPartitionReport {
    /// The number of the partition.
    pub partition: i32,
    /// The time at which the worker parked the partition.
    #[serde(rename = "since_ms")]
    pub parked_at_ms: i64,
    /// The time of the next attempt to open the partition.
    pub retry_at_ms: i64,
    /// The fault that the last attempt found.
    pub fault: String,
    /// What the operator can do.
    #[serde(rename = "todo")]
    pub remedy: String,
}

/// A dead letter: a record that could not be decoded into an event, or a row that Redis refused.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DeadLetterReport {
    /// The time at which the worker refused the record, or learned that Redis had refused the row.
    #[serde(rename = "at_ms")]
    pub refused_at_ms: i64,
    /// Either `record`, for a record that could not be decoded, or `row`, for a row that Redis refused.
    #[serde(rename = "kind")]
    pub dead_letter_kind: String,
    /// Why the record could not be decoded, or why Redis refused the row.
    #[serde(rename = "reason")]
    pub refusal_reason: String,
    /// The Kafka partition of the record; absent for a row.
    pub partition: Option<i32>,
    /// The Kafka offset of the record; absent for a row.
    pub offset: Option<i64>,
    /// The Kafka key of the record, or the Redis key of the row.
    #[serde(rename = "key")]
    pub record_or_redis_key: Option<RecordExcerpt>,
    /// The first bytes of the record's value. Absent for a row, and for a record whose value is null.
    #[serde(rename = "record")]
    pub record_excerpt: Option<RecordExcerpt>,
}

/// A fault of the input that makes rows wrong: records in the wrong partition, event times in another unit, or values whose
/// sums are too large.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct InputProblemReport {
    /// The time at which a worker found the fault last.
    #[serde(rename = "at_ms")]
    pub found_at_ms: i64,
    /// The kind of the fault.
    #[serde(rename = "kind")]
    pub problem_kind: ReportedProblemKind,
    /// The description of the fault, with an example.
    #[serde(rename = "what")]
    pub problem: String,
    /// The remedy.
    #[serde(rename = "todo")]
    pub remedy: String,
}

impl InputProblemReport {
    /// Returns whether both reports are about the same fault. The reports of an overflow name its feature, and nothing
    /// else that varies. Other reports name an example, so one of each kind is enough.
    #[must_use]
    pub fn is_same_fault(&self, other: &Self) -> bool {
        self.problem_kind == other.problem_kind
            && (self.problem_kind != ReportedProblemKind::Overflow || self.problem == other.problem)
    }
}

/// The kind of a fault of the input.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum ReportedProblemKind {
    /// Records are in another partition than the other records of their entity.
    MisplacedRecord,
    /// Event times would be near the times of their records in another unit or format.
    MisreadEventTime,
    /// The sums of a feature do not fit into their type.
    Overflow,
    /// An instance of another version reports a kind that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A warning or an error that the process logged.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct LoggedProblemReport {
    /// The time at which the message was logged.
    #[serde(rename = "at_ms")]
    pub logged_at_ms: i64,
    /// Either `warn` or `error`.
    #[serde(rename = "level")]
    pub log_level: String,
    /// The Rust module that logged the message.
    #[serde(rename = "target")]
    pub logging_module: String,
    /// The text of the log line, with its fields.
    #[serde(rename = "message")]
    pub log_message: String,
}

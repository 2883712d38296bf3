//! Reports of events, records, rows and log lines that need attention.

use serde::{Deserialize, Serialize};

/// The first bytes of a record or key.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RecordExcerpt {
    /// The bytes as text. Invalid UTF-8 is replaced.
    pub text: String,
    /// Whether all bytes are valid UTF-8.
    pub utf8: bool,
    /// The number of bytes in the whole value. `text` may contain fewer.
    pub bytes: u64,
}

/// An event that arrived too late for a feature view.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct LateEventReport {
    /// The time at which the event arrived.
    pub at_ms: i64,
    /// The views for which the event was late.
    pub feature_views: Vec<String>,
    /// The entity key of the event.
    pub key: String,
    /// The event time, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The watermark of the partition when the event arrived.
    pub watermark_ms: Option<i64>,
    /// The Kafka partition of the record.
    pub partition: i32,
    /// The Kafka offset of the record.
    pub offset: i64,
    /// The first bytes of the record.
    pub record: RecordExcerpt,
}

/// A record that could not be decoded into an event, or a row that Redis refused.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DeadLetterReport {
    /// The time at which the record or row was refused.
    pub at_ms: i64,
    /// Either `record` or `row`.
    pub kind: String,
    /// The reason of the refusal.
    pub reason: String,
    /// The Kafka partition of the record; absent for a row.
    pub partition: Option<i32>,
    /// The Kafka offset of the record; absent for a row.
    pub offset: Option<i64>,
    /// The key of the record, or the Redis key of the row.
    pub key: Option<RecordExcerpt>,
    /// The first bytes of the record; absent for a row, and for a record whose value is null.
    pub record: Option<RecordExcerpt>,
}

/// A warning or an error that the process logged.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ExceptionReport {
    /// The time at which the message was logged.
    pub at_ms: i64,
    /// Either `warn` or `error`.
    pub level: String,
    /// The module that logged the message.
    pub target: String,
    /// The message with its fields.
    pub message: String,
}

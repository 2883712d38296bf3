//! Reports of single events, records, rows and log lines that need attention.

use serde::{Deserialize, Serialize};

/// The beginning of a record's bytes.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct RecordExcerpt {
    /// The bytes as text; invalid UTF-8 is replaced.
    pub text: String,
    /// Whether all bytes are valid UTF-8.
    pub utf8: bool,
    /// The number of bytes in the record; `text` may hold fewer.
    pub bytes: u64,
}

/// An event that arrived too late for a feature view.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct LateEventReport {
    /// When it arrived.
    pub at_ms: i64,
    /// The views for which it was late.
    pub feature_views: Vec<String>,
    /// The entity key.
    pub key: String,
    /// Its event time, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The watermark of the partition when it arrived.
    pub watermark_ms: Option<i64>,
    /// The Kafka partition of the record.
    pub partition: i32,
    /// The Kafka offset of the record.
    pub offset: i64,
    /// The record itself.
    pub record: RecordExcerpt,
}

/// A record that was not an event, or a row that Redis refused.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct DeadLetterReport {
    /// When it was found.
    pub at_ms: i64,
    /// `record` or `row`.
    pub kind: String,
    /// Why it was refused.
    pub reason: String,
    /// The Kafka partition; absent for a row.
    pub partition: Option<i32>,
    /// The Kafka offset; absent for a row.
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
    /// When it was logged.
    pub at_ms: i64,
    /// `warn` or `error`.
    pub level: String,
    /// The module that logged it.
    pub target: String,
    /// The message with its fields.
    pub message: String,
}

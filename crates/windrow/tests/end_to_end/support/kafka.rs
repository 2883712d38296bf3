//! The real Kafka, and events as records.

pub(crate) use windrow_test_support::kafka::{ConsumedRecord, OutgoingRecord, TestKafka};
pub(crate) use windrow_test_support::kafka_or_skip;

/// Returns one record per event line, keyed by user.
pub(crate) fn key_events_by_user(lines: &[String], partition: Option<i32>) -> Vec<OutgoingRecord> {
    lines
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("an event");
            let key = match &event["user_id"] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            OutgoingRecord {
                partition,
                key: Some(key.into_bytes()),
                payload: Some(line.clone().into_bytes()),
                ..OutgoingRecord::default()
            }
        })
        .collect()
}

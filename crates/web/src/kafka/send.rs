//! Sending one record that somebody typed.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use windrow_connectors::kafka::browse::{BrowseError, NewRecord, WrittenRecord};

use super::answer::KafkaAnswer;
use super::{KafkaUi, PathName, parse_path_name};

const HEADERS_MAX: usize = 100;

/// A record as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedRecord {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
    #[serde(default)]
    partition: Option<i32>,
}

/// What became of it.
#[derive(Serialize)]
struct SentRecord {
    #[serde(flatten)]
    written: WrittenRecord,
    warnings: Vec<&'static str>,
}

pub(super) async fn send_record(
    State(ui): State<KafkaUi>,
    path: PathName,
    typed: Result<Json<TypedRecord>, JsonRejection>,
) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    let Json(typed) = typed.map_err(|rejection| BrowseError::InvalidRequest(rejection.body_text()))?;
    if typed.headers.len() > HEADERS_MAX {
        return Err(BrowseError::InvalidRequest(format!("at most {HEADERS_MAX} headers can be sent from here")).into());
    }
    // Names end where librdkafka's C strings end.
    if typed.headers.iter().any(|(name, _)| name.is_empty() || name.contains('\0')) {
        return Err(BrowseError::InvalidRequest("a header needs a name, without a NUL character".to_owned()).into());
    }
    let keyless = typed.key.as_ref().is_none_or(String::is_empty) && typed.partition.is_none();
    let partitions = ui.ask_brokers(ui.browser.fetch_writable_partition_count(&topic, typed.partition)).await?;
    let record = NewRecord {
        key: typed.key.map(String::into_bytes),
        value: typed.value.map(String::into_bytes),
        headers: typed.headers.into_iter().map(|(name, value)| (name, value.map(String::into_bytes))).collect(),
        partition: typed.partition,
    };
    let browser = ui.browser.clone();
    let written = ui.limits.run_reading(move || browser.produce_record(&topic, partitions, &record)).await?;
    let mut warnings = Vec::new();
    if keyless && partitions > 1 {
        warnings
            .push("The record has no key: the partition was left to chance, and no order with other records is kept.");
    }
    Ok((StatusCode::CREATED, Json(SentRecord { written, warnings })).into_response())
}

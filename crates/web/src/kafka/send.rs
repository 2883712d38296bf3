//! Sends one record that a visitor typed.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use windrow_connectors::kafka::browse::{NewRecord, WrittenRecord};

use super::answer::KafkaAnswer;
use super::path_name::{PathName, parse_path_name};
use super::ui::KafkaUi;
use crate::answers::HttpFault;

const HEADERS_MAX: usize = 100;

/// A record as the visitor typed it.
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

/// A record that Kafka accepted, and warnings for the visitor.
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
    let Json(typed) = typed.map_err(|rejection| bad_record(rejection.body_text()))?;
    check_headers(&typed.headers)?;
    let partition_is_random = typed.key.as_ref().is_none_or(String::is_empty) && typed.partition.is_none();
    let partition_count = ui.ask_brokers(ui.browser.fetch_partition_count_if_writable(&topic, typed.partition)).await?;
    let record = NewRecord {
        key: typed.key.map(String::into_bytes),
        value: typed.value.map(String::into_bytes),
        headers: typed.headers.into_iter().map(|(name, value)| (name, value.map(String::into_bytes))).collect(),
        partition: typed.partition,
    };
    let browser = ui.browser.clone();
    let written =
        ui.limits.run_on_blocking_thread(move || browser.produce_record(&topic, partition_count, &record)).await?;
    let mut warnings = Vec::new();
    if partition_is_random && partition_count > 1 {
        warnings.push("The record has no key: its partition is random, and its order with other records is not kept.");
    }
    Ok((StatusCode::CREATED, Json(SentRecord { written, warnings })).into_response())
}

fn check_headers(headers: &[(String, Option<String>)]) -> Result<(), HttpFault> {
    if headers.len() > HEADERS_MAX {
        return Err(bad_record(format!("at most {HEADERS_MAX} headers can be sent from here")));
    }
    // Refuse NUL, because librdkafka uses C strings: a name ends at the first NUL.
    if headers.iter().any(|(name, _)| name.is_empty() || name.contains('\0')) {
        return Err(bad_record("a header needs a name, without a NUL character"));
    }
    Ok(())
}

fn bad_record(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::BAD_REQUEST, reason)
}

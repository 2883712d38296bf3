//! Sends one record, which a visitor entered on a page, to a topic.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use windrow_connectors::kafka::browse::{NewRecord, WrittenRecord};

use super::answer::KafkaHandlerResult;
use super::name_in_path::{NameInPath, require_name_in_path};
use super::ui_context::KafkaUiContext;
use crate::answers::HttpFault;

const MAX_HEADERS: usize = 100;

/// The JSON body of a request to send a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRecordBody {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
    #[serde(default)]
    partition: Option<i32>,
}

/// The answer to a request to send a record: where Kafka stored the record, and warnings for the visitor.
#[derive(Serialize)]
struct SentRecordAnswer {
    #[serde(flatten)]
    written: WrittenRecord,
    warnings: Vec<&'static str>,
}

pub(super) async fn send_record(
    State(ui): State<KafkaUiContext>,
    path: NameInPath,
    body: Result<Json<SendRecordBody>, JsonRejection>,
) -> KafkaHandlerResult {
    let topic = require_name_in_path(path)?;
    let Json(body) = body.map_err(|rejection| bad_record_fault(rejection.body_text()))?;
    require_valid_headers(&body.headers)?;
    let partition_is_random = body.key.as_ref().is_none_or(String::is_empty) && body.partition.is_none();
    let partition_count = ui
        .limits
        .run_broker_request(ui.kafka_browser.fetch_partition_count_if_writable(&topic, body.partition))
        .await?;
    let record = NewRecord {
        key: body.key.map(String::into_bytes),
        value: body.value.map(String::into_bytes),
        headers: body.headers.into_iter().map(|(name, value)| (name, value.map(String::into_bytes))).collect(),
        partition: body.partition,
    };
    let browser = ui.kafka_browser.clone();
    let written = ui.limits.run_read_or_send(move || browser.produce_record(&topic, partition_count, &record)).await?;
    let mut warnings = Vec::new();
    if partition_is_random && partition_count > 1 {
        warnings
            .push("The record has no key: its partition is random, and its order relative to other records is lost.");
    }
    Ok((StatusCode::CREATED, Json(SentRecordAnswer { written, warnings })).into_response())
}

fn require_valid_headers(headers: &[(String, Option<String>)]) -> Result<(), HttpFault> {
    if headers.len() > MAX_HEADERS {
        return Err(bad_record_fault(format!("the record has more than {MAX_HEADERS} headers: send fewer")));
    }
    // A NUL character in a header name is refused, because librdkafka would cut off the name at this character.
    if headers.iter().any(|(name, _)| name.is_empty() || name.contains('\0')) {
        return Err(bad_record_fault("a header has no name, or a NUL character in its name: correct the name"));
    }
    Ok(())
}

fn bad_record_fault(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::BAD_REQUEST, reason)
}

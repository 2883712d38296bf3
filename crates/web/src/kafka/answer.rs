//! What the Kafka UI answers: JSON, and which status a question without an answer has.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windrow_connectors::kafka::browse::BrowseError;

use crate::answers::HttpFault;

/// What a handler gives back.
pub(super) type KafkaAnswer = Result<Response, HttpFault>;

pub(super) fn too_many_requests() -> HttpFault {
    HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, "too many questions at once; ask again in a moment")
}

impl From<BrowseError> for HttpFault {
    fn from(error: BrowseError) -> Self {
        let status = match error {
            BrowseError::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            BrowseError::NotFound(_) => StatusCode::NOT_FOUND,
            BrowseError::InvalidRequest(_) => StatusCode::BAD_REQUEST,
            BrowseError::Refused(_) | BrowseError::Unsupported(_) => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.to_string())
    }
}

pub(super) fn answer_json(what: &impl Serialize) -> Response {
    Json(what).into_response()
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

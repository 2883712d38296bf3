//! What the Kafka UI answers: JSON, and why not.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use windrow_connectors::kafka::browse::BrowseError;

/// What a handler gives back.
pub(super) type Answer = Result<Response, Fault>;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    why: String,
}

impl Fault {
    pub(super) fn busy() -> Self {
        let why = "too many questions at once; ask again in a moment".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, why }
    }

    pub(super) fn internal(why: String) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, why }
    }

    pub(super) fn why(&self) -> &str {
        &self.why
    }
}

impl From<BrowseError> for Fault {
    fn from(error: BrowseError) -> Self {
        let status = match error {
            BrowseError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            BrowseError::NotFound(_) => StatusCode::NOT_FOUND,
            BrowseError::Wrong(_) => StatusCode::BAD_REQUEST,
            BrowseError::Refused(_) | BrowseError::NotOffered(_) => StatusCode::BAD_GATEWAY,
        };
        Self { status, why: error.to_string() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": [self.why] }))).into_response()
    }
}

pub(super) fn said(what: &impl Serialize) -> Response {
    Json(what).into_response()
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

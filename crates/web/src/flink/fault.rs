//! What a request has instead of its answer, with the statuses that Flink gives.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub(super) use crate::answers::HttpFault;

/// The request is wrong.
pub(super) fn bad_request(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::BAD_REQUEST, reason)
}

/// What it names is not there.
pub(super) fn not_found(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::NOT_FOUND, reason)
}

/// It cannot be done as things stand.
pub(super) fn conflict(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::CONFLICT, reason)
}

/// An answer as Flink gives it.
pub(super) fn json_answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], value.to_string()).into_response()
}

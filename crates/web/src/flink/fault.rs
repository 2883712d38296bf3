//! Creates faults with the HTTP statuses that Flink uses, and JSON answers with Flink's content type.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::answers::HttpFault;

/// Returns a fault for a malformed request.
pub(super) fn bad_request(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::BAD_REQUEST, reason)
}

/// Returns a fault for a request that names an unknown job, vertex or operation.
pub(super) fn not_found(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::NOT_FOUND, reason)
}

/// Returns a fault for a request that the state of the job does not allow.
pub(super) fn conflict(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::CONFLICT, reason)
}

/// Returns a fault for a path parameter that cannot be parsed, with Flink's message.
pub(super) fn bad_path_parameter(name: &str, value: &str) -> HttpFault {
    bad_request(format!("Cannot resolve path parameter ({name}) from value \"{value}\"."))
}

/// Returns a fault for a query parameter that cannot be parsed, with Flink's message.
pub(super) fn bad_query_parameter(name: &str, value: &str) -> HttpFault {
    bad_request(format!("Cannot resolve query parameter ({name}) from value \"{value}\"."))
}

/// Returns a JSON answer with Flink's content type.
pub(super) fn json_answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], value.to_string()).into_response()
}

//! The answers that all routes have in common: JSON, and faults as `{"errors": […]}`.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use windrow_core::text::truncate_with_ellipsis;

use crate::controls::refusal::SavepointRefusal;

/// The largest number of characters that a fault quotes from the path of a request.
const FAULT_PATH_CHARS_MAX: usize = 200;

/// A fault that is sent to the client with an HTTP status and as `{"errors": […]}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpFault {
    /// The HTTP status of the response.
    pub status: StatusCode,
    /// The text in `errors`.
    pub reason: String,
}

impl HttpFault {
    /// Returns a fault that is answered with `status` and with the text `reason`.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl IntoResponse for HttpFault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": [self.reason] }))).into_response()
    }
}

impl From<SavepointRefusal> for HttpFault {
    fn from(refusal: SavepointRefusal) -> Self {
        Self::new(StatusCode::BAD_REQUEST, refusal.to_string())
    }
}

/// The result of a handler: JSON, or a fault.
pub type JsonOrFault<T> = Result<Json<T>, HttpFault>;

/// Returns `value` as JSON text, or `null` if it cannot be serialized.
pub fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Answers a request to an unknown path with status 404.
pub async fn answer_not_found(uri: Uri) -> HttpFault {
    HttpFault::new(
        StatusCode::NOT_FOUND,
        format!("{} does not exist on this server", truncate_with_ellipsis(uri.path(), FAULT_PATH_CHARS_MAX)),
    )
}

/// Answers a request with a method that the path does not support, with status 405.
pub async fn answer_method_not_allowed(uri: Uri) -> HttpFault {
    let reason =
        format!("{} does not support this HTTP method", truncate_with_ellipsis(uri.path(), FAULT_PATH_CHARS_MAX));
    HttpFault::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

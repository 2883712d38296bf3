//! What all parts answer alike: JSON, and faults as `{"errors": […]}`.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use windrow_core::text::shorten;

use crate::controls::refusal::SavepointRefusal;

/// Characters of a path that a fault shows.
const PATH_CHARS_SHOWN: usize = 200;

/// A fault that is answered as `{"errors": […]}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpFault {
    /// The status of the answer.
    pub status: StatusCode,
    /// The text of the answer.
    pub reason: String,
}

impl HttpFault {
    /// Returns a fault with this status and text.
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

/// JSON, or a fault.
pub type JsonAnswer<T> = Result<Json<T>, HttpFault>;

/// Returns `value` as JSON text for an event stream.
pub fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Answers unknown paths.
pub async fn not_found(uri: Uri) -> HttpFault {
    HttpFault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", shorten(uri.path(), PATH_CHARS_SHOWN)))
}

/// Answers known paths with an unknown method.
pub async fn method_not_allowed(uri: Uri) -> HttpFault {
    let reason = format!("{} does not answer this method", shorten(uri.path(), PATH_CHARS_SHOWN));
    HttpFault::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

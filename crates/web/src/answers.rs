//! The two kinds of answers that handlers share: data as JSON, or a fault as `{"errors": […]}`.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use windrow_core::text::truncate_with_ellipsis;

use crate::controls::savepoint_refusal::SavepointRefusal;

/// An error text quotes at most this many characters of the request's path.
const MAX_FAULT_PATH_CHARS: usize = 200;

/// An error response: an HTTP status with the JSON body `{"errors": […]}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpFault {
    /// The HTTP status of the response.
    pub status: StatusCode,
    /// The error text, which becomes the only item of `errors`.
    pub reason: String,
}

impl HttpFault {
    /// Creates a fault with the HTTP status `status` and the error text `reason`.
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

/// What a handler returns: the JSON of an answer, or a fault if the request failed.
pub type JsonOrFault<T> = Result<Json<T>, HttpFault>;

/// Returns `value` as JSON text. If `value` cannot be serialized, returns the text `null`.
pub fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Returns a fault with status 404. The server calls this function for requests to unknown paths.
pub async fn answer_not_found(uri: Uri) -> HttpFault {
    HttpFault::new(
        StatusCode::NOT_FOUND,
        format!("{} does not exist on this server", truncate_with_ellipsis(uri.path(), MAX_FAULT_PATH_CHARS)),
    )
}

/// Returns a fault with status 405. The server calls this function if the path of a request exists, but does not
/// support the request's HTTP method.
pub async fn answer_method_not_allowed(uri: Uri) -> HttpFault {
    let reason =
        format!("{} does not support this HTTP method", truncate_with_ellipsis(uri.path(), MAX_FAULT_PATH_CHARS));
    HttpFault::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

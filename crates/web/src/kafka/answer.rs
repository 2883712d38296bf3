//! Creates the answers of the Kafka UI: JSON with the current time, and a status for each fault.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use windrow_connectors::kafka::browse::BrowseError;

use crate::answers::HttpFault;

/// The result of a handler.
pub(super) type KafkaAnswer = Result<Response, HttpFault>;

/// The content of an answer, and the time of the answer.
#[derive(Serialize)]
struct TimedAnswer<T> {
    now_ms: i64,
    #[serde(flatten)]
    content: T,
}

/// Returns `content` as JSON, with the current time.
pub(super) fn answer_json(content: impl Serialize) -> Response {
    Json(TimedAnswer { now_ms: Timestamp::now().as_millisecond(), content }).into_response()
}

/// Returns the fault for a request that gets no turn.
pub(super) fn too_many_requests() -> HttpFault {
    HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once; ask again in a moment")
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

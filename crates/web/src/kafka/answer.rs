//! Builds the answers of the Kafka UI: JSON with the current time, and an HTTP status for each fault.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use windrow_connectors::kafka::browse::BrowseError;

use crate::answers::HttpFault;

/// The result of a handler of the Kafka UI.
pub(super) type KafkaHandlerResult = Result<Response, HttpFault>;

/// The JSON of an answer: the content, and the time at which the answer was built.
#[derive(Serialize)]
struct TimestampedAnswer<T> {
    now_ms: i64,
    #[serde(flatten)]
    content: T,
}

/// Answers with `content` as JSON, and with the current time as `now_ms`.
pub(super) fn answer_json_with_time(content: impl Serialize) -> Response {
    Json(TimestampedAnswer { now_ms: Timestamp::now().as_millisecond(), content }).into_response()
}

/// Returns the fault for a request that received no permit in time.
pub(super) fn too_many_requests_fault() -> HttpFault {
    HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests to Kafka are in progress; try again in a moment")
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

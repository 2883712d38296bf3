//! Builds the answers of the Kafka UI: the requested data as JSON, or a fault with an HTTP status. Each JSON answer
//! also holds the time at which it was built.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use windrow_connectors::kafka::browse::BrowseError;

use crate::answers::HttpFault;

pub(super) type KafkaHandlerResult = Result<Response, HttpFault>;

/// The JSON of an answer: the content, and the time at which the answer was built.
#[derive(Serialize)]
struct TimestampedAnswer<T> {
    now_ms: i64,
    #[serde(flatten)]
    content: T,
}

/// Returns an HTTP response with the JSON of `content` and an additional field `now_ms`, the current time in epoch
/// milliseconds.
pub(super) fn answer_json_with_time(content: impl Serialize) -> Response {
    Json(TimestampedAnswer { now_ms: Timestamp::now().as_millisecond(), content }).into_response()
}

/// Returns the fault for an HTTP request that gets no permit to use Kafka, because other requests hold all permits.
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

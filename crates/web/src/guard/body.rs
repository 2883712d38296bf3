//! A request's body comes whole, small and soon, or the request goes no further.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::answers::HttpFault;

/// Bytes of a request's body.
pub const BODY_MAX: usize = 64 * 1024;
/// How long it may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn read_bounded_body(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let (parts, _) = request.into_parts();
        return next.run(Request::from_parts(parts, Body::empty())).await;
    }
    let (parts, body) = request.into_parts();
    match timeout(BODY_TIMEOUT, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => {
            let reason = format!("the body is cut off, or larger than {BODY_MAX} bytes");
            HttpFault::new(StatusCode::PAYLOAD_TOO_LARGE, reason).into_response()
        }
        Err(_) => HttpFault::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time").into_response(),
    }
}

//! Reads the body of a request before any handler runs. Limits the size of the body, and the time until the whole body
//! has arrived.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::answers::HttpFault;

/// The largest size of a request's body in bytes.
pub const MAX_REQUEST_BODY_BYTES: usize = 64 * 1024;
/// The server refuses a request if the whole body has not arrived within this time after the head.
const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the whole body of a request. Refuses the request if the body is too large or arrives too slowly. Discards the
/// body of a GET or HEAD request.
pub(super) async fn read_bounded_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return next.run(Request::from_parts(parts, Body::empty())).await;
    }
    match timeout(REQUEST_BODY_TIMEOUT, to_bytes(body, MAX_REQUEST_BODY_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => {
            let reason = format!("the request body is incomplete, or larger than {MAX_REQUEST_BODY_BYTES} bytes");
            HttpFault::new(StatusCode::PAYLOAD_TOO_LARGE, reason).into_response()
        }
        Err(_) => {
            let reason = format!("the request body did not arrive within {} seconds", REQUEST_BODY_TIMEOUT.as_secs());
            HttpFault::new(StatusCode::REQUEST_TIMEOUT, reason).into_response()
        }
    }
}

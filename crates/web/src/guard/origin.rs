//! What changes something must come from a page of this server, or from what is no browser.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::host;
use crate::answers::Fault;

pub(super) async fn same(request: Request, next: Next) -> Response {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if harmless || is_same(request.headers()) {
        return next.run(request).await;
    }
    let reason = "a page of another origin must not change anything here";
    Fault::new(StatusCode::FORBIDDEN, reason).into_response()
}

fn is_same(headers: &HeaderMap) -> bool {
    let site = headers.get_all("sec-fetch-site").iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let host = host::host(headers);
    let from_here = |origin: &str| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        place.zip(host.as_ref()).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host.as_str()))
    };
    let origins = headers.get_all(header::ORIGIN).iter();
    site && origins.map(|origin| origin.to_str().unwrap_or_default()).all(from_here)
}

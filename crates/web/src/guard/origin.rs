//! Refuses requests that scripts and forms on pages of other origins send. Allows requests from pages of this server,
//! from clients that are not browsers, and from a user who follows a link.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::host::requested_host;
use crate::answers::HttpFault;

/// Refuses a request from a page of another origin, except a GET request by which the browser follows a link.
pub(super) async fn require_same_origin(request: Request, next: Next) -> Response {
    let (method, headers) = (request.method(), request.headers());
    let is_allowed = match *method {
        // A GET request by which a browser follows a link is harmless. Other requests from pages of another origin are
        // refused. A script could send so many of them that they overload Redis and Kafka.
        Method::GET | Method::HEAD => {
            is_same_origin_or_user_request(headers) || (*method == Method::GET && is_navigation(headers))
        }
        _ => comes_from_own_page_or_non_browser(headers),
    };
    if is_allowed {
        return next.run(request).await;
    }
    let reason = "requests from pages of another origin are not allowed";
    HttpFault::new(StatusCode::FORBIDDEN, reason).into_response()
}

fn is_same_origin_or_user_request(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
}

fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

fn comes_from_own_page_or_non_browser(headers: &HeaderMap) -> bool {
    let host = requested_host(headers);
    let is_this_server = |origin: &str| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        place.zip(host.as_ref()).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host.as_str()))
    };
    let origins = headers.get_all(header::ORIGIN).iter();
    is_same_origin_or_user_request(headers)
        && origins.map(|origin| origin.to_str().unwrap_or_default()).all(is_this_server)
}

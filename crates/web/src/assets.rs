//! Serves the files of the web pages, such as HTML and scripts. All files are compiled into the binary.
//!
//! Owns: the files of `assets/`, served under `/assets/…`. Does not own: their compression (`server`).
//! Invariant: the server looks up a requested path only among the files in the binary, never in the file system.
//! After a crash: no state survives, and none is needed.

use std::hash::Hasher;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::answers::HttpFault;

static EMBEDDED_ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// Returns a router with the route `/assets/…`. Its handler needs no state, so the job's server and the Kafka UI can
/// both merge this router.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*name}", get(serve_asset))
}

async fn serve_asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer_with_asset(&name, &headers)
}

/// Returns the response that sends the file `name`, such as `job/index.html`. If the browser already has this version
/// of the file, the response is only the status 304.
pub fn answer_with_asset(name: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = EMBEDDED_ASSETS.get_file(name) else {
        return HttpFault::new(StatusCode::NOT_FOUND, "the requested file does not exist").into_response();
    };
    let etag = compute_etag(asset.contents());
    let known_tags = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known_tags.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag));
    let caching = [
        (header::ETAG, etag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, header::ACCEPT_ENCODING.as_str()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, content_type_of_name(name))], asset.contents()).into_response()
}

/// Returns the text of the file `name` in the binary. If the file does not exist or is not UTF-8, returns an empty
/// text.
pub(crate) fn asset_text_or_empty(name: &str) -> &'static str {
    EMBEDDED_ASSETS.get_file(name).and_then(|asset| asset.contents_utf8()).unwrap_or_default()
}

fn content_type_of_name(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Returns a weak tag, because the same file is sent with and without compression.
fn compute_etag(bytes: &[u8]) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    format!("W/\"{:032x}\"", u128::from(hasher.finish128()))
}

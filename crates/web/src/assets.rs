//! Serves the files of the web pages, such as HTML and scripts. All files are compiled into the binary.
//!
//! Owns: the files of `assets/`, served under `/assets/…`.
//! Invariant: the server looks up a requested path only among the files in the binary, never in the file system.
//! After a crash: no state survives, and none is needed.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::answers::HttpFault;

static EMBEDDED_ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

struct AssetFile {
    content: &'static [u8],
    content_type: &'static str,
    etag: String,
}

static ASSET_FILES_BY_NAME: LazyLock<HashMap<&'static str, AssetFile>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    let mut folders = vec![&EMBEDDED_ASSETS];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            if let Some(name) = file.path().to_str() {
                let bytes = if name.ends_with(".js") { blank_comment_lines(file.contents()) } else { file.contents() };
                let (content_type, etag) = (content_type_of_name(name), compute_etag(bytes));
                all.insert(name, AssetFile { content: bytes, content_type, etag });
            }
        }
    }
    all
});

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
    let Some(asset) = ASSET_FILES_BY_NAME.get(name) else {
        return HttpFault::new(StatusCode::NOT_FOUND, "the requested file does not exist").into_response();
    };
    let caching: [(HeaderName, &str); 2] = [(header::ETAG, &asset.etag), (header::CACHE_CONTROL, "no-cache")];
    let known_tags = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known_tags.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.content_type)], asset.content).into_response()
}

/// Returns the text of the file `name` in the binary. If the file does not exist or is not UTF-8, returns an empty
/// text.
pub(crate) fn asset_text_or_empty(name: &str) -> &'static str {
    ASSET_FILES_BY_NAME.get(name).and_then(|asset| str::from_utf8(asset.content).ok()).unwrap_or_default()
}

/// Returns `script` with each comment line replaced by an empty line. Browsers then load fewer bytes, and line numbers
/// stay the same. The function `withoutCommentLines` in `tests/browser/mock/files.mjs` must return the same text for
/// the same script.
fn blank_comment_lines(script: &'static [u8]) -> &'static [u8] {
    let Ok(text) = str::from_utf8(script) else { return script };
    let mut code = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        let (begins, ends) = (trimmed.starts_with("/*"), trimmed.contains("*/"));
        let is_comment = inside || trimmed.starts_with("//") || (begins && (!ends || trimmed.ends_with("*/")));
        if !is_comment {
            code.push_str(line);
        }
        code.push('\n');
        inside = (inside || begins) && !ends;
    }
    code.leak().as_bytes()
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

fn compute_etag(bytes: &[u8]) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    format!("\"{:032x}\"", u128::from(hasher.finish128()))
}

#[cfg(test)]
mod tests {
    use super::blank_comment_lines;

    #[test]
    fn scripts_are_served_without_their_comment_lines() {
        let script =
            "// head\n/**\n * docs\n */\n\tconst a = b; // kept\n/** @type {A} */ (b)();\n\t/** docs */\nend();\n";
        let code = "\n\n\n\n\tconst a = b; // kept\n/** @type {A} */ (b)();\n\nend();\n";
        assert_eq!(str::from_utf8(blank_comment_lines(script.as_bytes())), Ok(code));
    }
}

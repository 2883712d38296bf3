//! The Kafka UI's pages: one HTML file that shows whatever its path names, and the files that it asks for. All of them
//! are part of the binary.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const PAGE: &str = include_str!("../../assets/kafka/index.html");
const PATHS: [&str; 5] = ["/", "/topics/{topic}", "/topics/{topic}/messages", "/groups", "/groups/{group}"];

macro_rules! file {
    ($kind:expr, $path:literal) => {
        (concat!("/assets/", $path), $kind, include_str!(concat!("../../assets/", $path)))
    };
}

const FILES: [(&str, &str, &str); 18] = [
    file!(CSS, "shared/base.css"),
    file!(JS, "shared/dom.js"),
    file!(JS, "shared/format.js"),
    file!(JS, "shared/live.js"),
    file!(JS, "shared/table.js"),
    file!(JS, "shared/theme.js"),
    file!(SVG, "shared/mark.svg"),
    file!(CSS, "kafka/kafka.css"),
    file!(JS, "kafka/app.js"),
    file!(JS, "kafka/bytes.js"),
    file!(JS, "kafka/parts.js"),
    file!(JS, "kafka/record.js"),
    file!(JS, "kafka/send.js"),
    file!(JS, "kafka/pages/home.js"),
    file!(JS, "kafka/pages/topic.js"),
    file!(JS, "kafka/pages/messages.js"),
    file!(JS, "kafka/pages/groups.js"),
    file!(JS, "kafka/pages/group.js"),
];

pub(super) fn router() -> Router {
    let mut router = Router::new();
    for path in PATHS {
        router = router.route(path, get(async || ([(CONTENT_TYPE, HTML)], PAGE)));
    }
    for (path, kind, text) in FILES {
        router = router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)));
    }
    router
}

//! The Kafka UI's pages: one HTML file that shows whatever its path names.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::assets;

const PATHS: [&str; 5] = ["/", "/topics/{topic}", "/topics/{topic}/messages", "/groups", "/groups/{group}"];

pub(super) fn router() -> Router {
    let mut router = Router::new();
    for path in PATHS {
        router = router.route(path, get(index));
    }
    router.merge(assets::router())
}

async fn index(headers: HeaderMap) -> impl IntoResponse {
    assets::file("kafka/index.html", &headers)
}

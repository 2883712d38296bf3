//! Serves the pages of the Kafka UI. For every path, the server sends the same HTML file. The script in this file
//! chooses the page by the path.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::assets;

const PAGE_PATHS: [&str; 5] = ["/", "/topics/{topic}", "/topics/{topic}/messages", "/groups", "/groups/{group}"];

pub(super) fn router() -> Router {
    let mut router = Router::new();
    for path in PAGE_PATHS {
        router = router.route(path, get(serve_kafka_page));
    }
    router.merge(assets::router())
}

async fn serve_kafka_page(headers: HeaderMap) -> impl IntoResponse {
    assets::answer_with_asset("kafka/index.html", &headers)
}

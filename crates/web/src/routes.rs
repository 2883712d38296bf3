//! All paths of a job's server.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::{Console, api, assets, health};

/// Where people are; the page itself finds out what to show.
const PAGES: [&str; 7] =
    ["/", "/partitions", "/checkpoints", "/features", "/features/{user}", "/problems", "/pipeline"];

/// The job's pages, their JSON, health, and what other parts answer; [`crate::guard::protect`] belongs around it.
pub fn of_job(console: Arc<Console>) -> Router {
    let mut router = Router::new();
    for page in PAGES {
        router = router.route(page, get(index));
    }
    router.merge(assets::router()).merge(api::router()).merge(health::router()).with_state(console)
}

async fn index(headers: HeaderMap) -> impl IntoResponse {
    assets::file("job/index.html", &headers)
}

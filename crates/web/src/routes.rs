//! All paths of a job's server.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::{JobServerContext, api, assets, flink, health, metrics};

/// Where people are; the page itself finds out what to show.
const PAGES: [&str; 7] =
    ["/", "/partitions", "/checkpoints", "/features", "/features/{user}", "/problems", "/pipeline"];

/// The job's pages, their JSON, health, and what other parts answer; [`crate::guard::protect`] belongs around it.
pub fn build_job_router(console: Arc<JobServerContext>) -> Router {
    let mut router = Router::new();
    for page in PAGES {
        router = router.route(page, get(serve_job_page));
    }
    router
        .merge(assets::router())
        .merge(api::router())
        .merge(flink::router())
        .merge(health::router())
        .merge(metrics::router())
        .with_state(console)
}

async fn serve_job_page(headers: HeaderMap) -> impl IntoResponse {
    assets::answer_with_asset("job/index.html", &headers)
}

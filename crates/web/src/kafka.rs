//! The Kafka UI: topics, records, consumer groups and brokers of a Kafka cluster, as pages and as JSON
//! (`docs/kafka_ui.md`).
//!
//! Owns: the routes, the limits on concurrent requests, the JSON of answers. Does not own: the communication with Kafka
//! (`windrow_connectors::kafka::browse`), access control (`guard`). Invariants: (1) Every request ends, and the number
//! of concurrent requests is limited. (2) Data from a record appears only within JSON strings. After a crash: no state
//! survives, and none is needed.

mod answer;
mod cluster;
mod limits;
mod messages;
mod name_in_path;
mod pages;
mod query;
mod send;
mod tail;
mod ui_context;

use axum::Router;

use crate::api_route::{ApiRoute, add_routes};
use ui_context::KafkaUiContext;

/// Returns the routes of the Kafka UI: its pages and its JSON API. `brokers` are the addresses of the Kafka cluster
/// that the UI shows. The routes do not check access, so the caller must apply [`crate::guard::protect`].
pub fn router(brokers: &str) -> Router {
    pages::router().merge(api_router(brokers))
}

fn api_router(brokers: &str) -> Router {
    add_routes(Router::new(), "", routes()).with_state(KafkaUiContext::new(brokers))
}

pub(crate) fn routes() -> Vec<ApiRoute<KafkaUiContext>> {
    vec![
        ApiRoute::get("/api/cluster", cluster::get_cluster),
        ApiRoute::get("/api/topics", cluster::get_topics),
        ApiRoute::get("/api/topics/{topic}", cluster::get_topic),
        ApiRoute::get("/api/topics/{topic}/messages", messages::get_messages).and_post(send::send_record),
        ApiRoute::get("/api/topics/{topic}/tail", tail::follow_topic),
        ApiRoute::get("/api/groups", cluster::get_groups),
        ApiRoute::get("/api/groups/{group}", cluster::get_group),
    ]
}

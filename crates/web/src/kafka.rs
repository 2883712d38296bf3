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
use axum::routing::get;

use ui_context::KafkaUiContext;

/// Returns the routes of the Kafka UI: its pages and its JSON API. `brokers` are the addresses of the Kafka cluster
/// that the UI shows. The routes do not check access, so the caller must apply [`crate::guard::protect`].
pub fn router(brokers: &str) -> Router {
    pages::router().merge(api_router(brokers))
}

fn api_router(brokers: &str) -> Router {
    Router::new()
        .route("/api/cluster", get(cluster::get_cluster))
        .route("/api/topics", get(cluster::get_topics))
        .route("/api/topics/{topic}", get(cluster::get_topic))
        .route("/api/topics/{topic}/messages", get(messages::get_messages).post(send::send_record))
        .route("/api/topics/{topic}/tail", get(tail::follow_topic))
        .route("/api/groups", get(cluster::get_groups))
        .route("/api/groups/{group}", get(cluster::get_group))
        .with_state(KafkaUiContext::new(brokers))
}

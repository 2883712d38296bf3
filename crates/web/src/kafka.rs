//! The Kafka UI: topics, records, groups and brokers of a cluster, as pages and as JSON (`docs/kafka_ui.md`).
//!
//! Owns: its routes, the limits of a request, the JSON of answers. Does not own: talking to Kafka
//! (`windrow_connectors::kafka::browse`), who may ask (`guard`).
//! Invariants: (1) every request ends, and few are processed at a time; (2) data from a record is only ever a JSON string.
//! After a crash: nothing survives or needs to.

mod answer;
mod cluster;
mod limits;
mod messages;
mod pages;
mod path_name;
mod query;
mod send;
mod tail;
mod ui;

use axum::Router;
use axum::routing::get;

use ui::KafkaUi;

/// Returns the pages and the JSON of the cluster at `brokers`. Apply [`crate::guard::protect`] to the result.
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
        .with_state(KafkaUi::new(brokers))
}

//! Answers requests about brokers, topics and consumer groups.

use axum::extract::State;
use serde_json::json;

use super::answer::{KafkaHandlerResult, answer_json_with_time};
use super::name_in_path::{NameInPath, require_name_in_path};
use super::ui_context::KafkaUiContext;

pub(super) async fn get_cluster(State(ui): State<KafkaUiContext>) -> KafkaHandlerResult {
    let cluster = ui.limits.run_broker_request(ui.kafka_browser.fetch_cluster_overview()).await?;
    Ok(answer_json_with_time(json!({ "addresses": ui.kafka_browser.broker_addresses(), "cluster": cluster })))
}

pub(super) async fn get_topics(State(ui): State<KafkaUiContext>) -> KafkaHandlerResult {
    let topics = ui.limits.run_broker_request(ui.kafka_browser.fetch_topic_summaries()).await?;
    Ok(answer_json_with_time(json!({ "topics": topics })))
}

pub(super) async fn get_topic(State(ui): State<KafkaUiContext>, path: NameInPath) -> KafkaHandlerResult {
    let topic = require_name_in_path(path)?;
    Ok(answer_json_with_time(ui.limits.run_broker_request(ui.kafka_browser.fetch_topic_details(&topic)).await?))
}

pub(super) async fn get_groups(State(ui): State<KafkaUiContext>) -> KafkaHandlerResult {
    let groups = ui.limits.run_broker_request(ui.kafka_browser.fetch_group_summaries()).await?;
    Ok(answer_json_with_time(json!({ "groups": groups })))
}

pub(super) async fn get_group(State(ui): State<KafkaUiContext>, path: NameInPath) -> KafkaHandlerResult {
    let group = require_name_in_path(path)?;
    Ok(answer_json_with_time(ui.limits.run_broker_request(ui.kafka_browser.fetch_group_details(&group)).await?))
}

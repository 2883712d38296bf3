//! Answers requests about brokers, topics and groups.

use axum::extract::State;
use serde_json::json;

use super::answer::{KafkaAnswer, answer_json};
use super::path_name::{PathName, parse_path_name};
use super::ui::KafkaUi;

pub(super) async fn get_cluster(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let cluster = ui.ask_brokers(ui.browser.fetch_cluster_overview()).await?;
    Ok(answer_json(json!({ "addresses": ui.browser.broker_addresses(), "cluster": cluster })))
}

pub(super) async fn get_topics(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let topics = ui.ask_brokers(ui.browser.fetch_topic_summaries()).await?;
    Ok(answer_json(json!({ "topics": topics })))
}

pub(super) async fn get_topic(State(ui): State<KafkaUi>, path: PathName) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    Ok(answer_json(ui.ask_brokers(ui.browser.fetch_topic_details(&topic)).await?))
}

pub(super) async fn get_groups(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let groups = ui.ask_brokers(ui.browser.fetch_group_summaries()).await?;
    Ok(answer_json(json!({ "groups": groups })))
}

pub(super) async fn get_group(State(ui): State<KafkaUi>, path: PathName) -> KafkaAnswer {
    let group = parse_path_name(path)?;
    Ok(answer_json(ui.ask_brokers(ui.browser.fetch_group_details(&group)).await?))
}

//! The Kafka UI: topics, records, groups and brokers of a cluster, as pages and as JSON (`docs/kafka_ui.md`).
//!
//! Owns: its routes, what a question may cost, the JSON of answers. Does not own: talking to Kafka
//! (`windrow_connectors::kafka::browse`), who may ask (`guard`).
//! Invariants: every question has an end, and only so many are worked on at a time; what a record holds is only ever a
//! JSON string.
//! After a crash: nothing survives or needs to.

mod answer;
mod limits;
mod messages;
mod pages;
mod question;
mod send;
mod tail;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;
use windrow_connectors::kafka::browse::{BrowseError, KafkaBrowser};

use answer::{KafkaAnswer, answer_json, now_ms};
use limits::KafkaLimits;

use crate::answers::HttpFault;

/// What the handlers share.
#[derive(Clone)]
struct KafkaUi {
    browser: KafkaBrowser,
    limits: Arc<KafkaLimits>,
}

/// The pages and the JSON of the cluster at `brokers`; [`crate::guard::protect`] belongs around it.
pub fn router(brokers: &str) -> Router {
    pages::router().merge(api_router(brokers))
}

fn api_router(brokers: &str) -> Router {
    let ui = KafkaUi { browser: KafkaBrowser::new(brokers), limits: Arc::new(KafkaLimits::default()) };
    Router::new()
        .route("/api/cluster", get(get_cluster))
        .route("/api/topics", get(get_topics))
        .route("/api/topics/{topic}", get(get_topic))
        .route("/api/topics/{topic}/messages", get(messages::get_messages).post(send::send_record))
        .route("/api/topics/{topic}/tail", get(tail::follow_topic))
        .route("/api/groups", get(get_groups))
        .route("/api/groups/{group}", get(get_group))
        .with_state(ui)
}

/// A name in the path, percent-decoded.
type PathName = Result<Path<String>, PathRejection>;

fn parse_path_name(path: PathName) -> Result<String, HttpFault> {
    let Path(name) = path.map_err(|rejection| BrowseError::InvalidRequest(rejection.body_text()))?;
    Ok(name)
}

async fn get_cluster(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let cluster = ui.ask_brokers(ui.browser.fetch_cluster()).await?;
    Ok(answer_json(&TimedAnswer {
        now_ms: now_ms(),
        content: json!({ "addresses": ui.browser.brokers(), "cluster": cluster }),
    }))
}

async fn get_topics(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let topics = ui.ask_brokers(ui.browser.fetch_topics()).await?;
    Ok(answer_json(&TimedAnswer { now_ms: now_ms(), content: json!({ "topics": topics }) }))
}

async fn get_topic(State(ui): State<KafkaUi>, path: PathName) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    Ok(answer_json(&TimedAnswer { now_ms: now_ms(), content: ui.ask_brokers(ui.browser.fetch_topic(&topic)).await? }))
}

async fn get_groups(State(ui): State<KafkaUi>) -> KafkaAnswer {
    let groups = ui.ask_brokers(ui.browser.fetch_groups()).await?;
    Ok(answer_json(&TimedAnswer { now_ms: now_ms(), content: json!({ "groups": groups }) }))
}

async fn get_group(State(ui): State<KafkaUi>, path: PathName) -> KafkaAnswer {
    let group = parse_path_name(path)?;
    Ok(answer_json(&TimedAnswer { now_ms: now_ms(), content: ui.ask_brokers(ui.browser.fetch_group(&group)).await? }))
}

/// An answer and when it was given.
#[derive(Serialize)]
struct TimedAnswer<T> {
    now_ms: i64,
    #[serde(flatten)]
    content: T,
}

impl KafkaUi {
    /// Asks the brokers something, when it is its turn.
    async fn ask_brokers<T>(&self, question: impl Future<Output = Result<T, BrowseError>>) -> Result<T, HttpFault> {
        self.limits.run_question(question).await
    }
}

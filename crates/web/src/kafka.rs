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
use windrow_connectors::kafka::browse::{BrowseError, Browser};

use answer::{Answer, now_ms, said};
use limits::Limits;

use crate::answers::Fault;

/// What the handlers share.
#[derive(Clone)]
struct Ui {
    browser: Browser,
    limits: Arc<Limits>,
}

/// The pages and the JSON of the cluster at `brokers`; [`crate::guard::protect`] belongs around it.
pub fn router(brokers: &str) -> Router {
    pages::router().merge(api(brokers))
}

fn api(brokers: &str) -> Router {
    let ui = Ui { browser: Browser::new(brokers), limits: Arc::new(Limits::default()) };
    Router::new()
        .route("/api/cluster", get(cluster))
        .route("/api/topics", get(topics))
        .route("/api/topics/{topic}", get(topic))
        .route("/api/topics/{topic}/messages", get(messages::page).post(send::send))
        .route("/api/topics/{topic}/tail", get(tail::tail))
        .route("/api/groups", get(groups))
        .route("/api/groups/{group}", get(group))
        .with_state(ui)
}

/// A name in the path, percent-decoded.
type Name = Result<Path<String>, PathRejection>;

fn name(path: Name) -> Result<String, Fault> {
    let Path(name) = path.map_err(|rejection| BrowseError::Wrong(rejection.body_text()))?;
    Ok(name)
}

async fn cluster(State(ui): State<Ui>) -> Answer {
    let cluster = ui.ask(ui.browser.cluster()).await?;
    Ok(said(&Now { now_ms: now_ms(), of: json!({ "addresses": ui.browser.brokers(), "cluster": cluster }) }))
}

async fn topics(State(ui): State<Ui>) -> Answer {
    let topics = ui.ask(ui.browser.topics()).await?;
    Ok(said(&Now { now_ms: now_ms(), of: json!({ "topics": topics }) }))
}

async fn topic(State(ui): State<Ui>, path: Name) -> Answer {
    let topic = name(path)?;
    Ok(said(&Now { now_ms: now_ms(), of: ui.ask(ui.browser.topic(&topic)).await? }))
}

async fn groups(State(ui): State<Ui>) -> Answer {
    let groups = ui.ask(ui.browser.groups()).await?;
    Ok(said(&Now { now_ms: now_ms(), of: json!({ "groups": groups }) }))
}

async fn group(State(ui): State<Ui>, path: Name) -> Answer {
    let group = name(path)?;
    Ok(said(&Now { now_ms: now_ms(), of: ui.ask(ui.browser.group(&group)).await? }))
}

/// An answer and when it was given.
#[derive(Serialize)]
struct Now<T> {
    now_ms: i64,
    #[serde(flatten)]
    of: T,
}

impl Ui {
    /// Asks the brokers something, when it is its turn.
    async fn ask<T>(&self, question: impl Future<Output = Result<T, BrowseError>>) -> Result<T, Fault> {
        self.limits.question(question).await
    }
}

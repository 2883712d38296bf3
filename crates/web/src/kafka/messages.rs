//! A page of a topic's records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;

use super::answer::{KafkaAnswer, answer_json, now_ms};
use super::question::{self, RawQuery};
use super::{KafkaUi, PathName, TimedAnswer, parse_path_name};

pub(super) async fn get_messages(State(ui): State<KafkaUi>, path: PathName, parameters: RawQuery) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    let request = question::parse_page_request(parameters)?;
    let plan = ui.ask_brokers(ui.browser.plan_page(&topic, request)).await?;
    let visit = VisitorGoneSignal::default();
    let gone = Arc::clone(&visit.gone);
    let page = ui.limits.run_reading(move || plan.read(&gone)).await?;
    Ok(answer_json(&TimedAnswer { now_ms: now_ms(), content: page }))
}

/// Says so when the visitor is gone: then this is dropped.
#[derive(Default)]
struct VisitorGoneSignal {
    gone: Arc<AtomicBool>,
}

impl Drop for VisitorGoneSignal {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

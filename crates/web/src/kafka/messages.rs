//! Answers requests for a page of a topic's records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;

use super::answer::{KafkaAnswer, answer_json};
use super::path_name::{PathName, parse_path_name};
use super::query::{RawParameters, parse_page_request};
use super::ui::KafkaUi;

pub(super) async fn get_messages(State(ui): State<KafkaUi>, path: PathName, parameters: RawParameters) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    let request = parse_page_request(parameters)?;
    let plan = ui.ask_brokers(ui.browser.plan_page(&topic, request)).await?;
    let visitor_gone = VisitorGoneSignal::default();
    let cancelled = Arc::clone(&visitor_gone.0);
    let page = ui.limits.run_on_blocking_thread(move || plan.read_page(&cancelled)).await?;
    Ok(answer_json(page))
}

/// A flag that becomes true when it is dropped. The server drops it when the visitor closes the connection.
#[derive(Default)]
struct VisitorGoneSignal(Arc<AtomicBool>);

impl Drop for VisitorGoneSignal {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

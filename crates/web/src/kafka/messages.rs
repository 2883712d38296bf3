//! Answers requests for records of a topic. Each answer holds a limited number of records, which the browser shows as
//! one page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;

use super::answer::{KafkaHandlerResult, answer_json_with_time};
use super::name_in_path::{NameInPath, require_name_in_path};
use super::query::{RawParameters, parse_record_page_request};
use super::ui_context::KafkaUiContext;

pub(super) async fn get_messages(
    State(ui): State<KafkaUiContext>,
    path: NameInPath,
    parameters: RawParameters,
) -> KafkaHandlerResult {
    let topic = require_name_in_path(path)?;
    let request = parse_record_page_request(parameters)?;
    let plan = ui.limits.run_broker_request(ui.kafka_browser.plan_page(&topic, request)).await?;
    let visitor_gone = VisitorGoneSignal::default();
    let cancelled = Arc::clone(&visitor_gone.0);
    let page = ui.limits.run_read_or_send(move || plan.read_page(&cancelled)).await?;
    Ok(answer_json_with_time(page))
}

/// Stops the reading thread if the visitor closes the connection. In that case, the server drops this signal. The drop
/// sets a flag, and the thread checks this flag while it reads records.
#[derive(Default)]
struct VisitorGoneSignal(Arc<AtomicBool>);

impl Drop for VisitorGoneSignal {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! A page of a topic's records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;

use super::answer::{Answer, now_ms, said};
use super::question::{self, Parameters};
use super::{Name, Now, Ui, name};

pub(super) async fn page(State(ui): State<Ui>, path: Name, parameters: Parameters) -> Answer {
    let topic = name(path)?;
    let request = question::page(parameters)?;
    let plan = ui.ask(ui.browser.plan_page(&topic, request)).await?;
    let visit = Visit::default();
    let gone = Arc::clone(&visit.gone);
    let page = ui.limits.reading(move || plan.read(&gone)).await?;
    Ok(said(&Now { now_ms: now_ms(), of: page }))
}

/// Says so when the visitor is gone: then this is dropped.
#[derive(Default)]
struct Visit {
    gone: Arc<AtomicBool>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

//! `/api/problems`.

use serde_json::{Value, json};

use super::newest_items;
use crate::JobServerContext;

/// Of each kind, newest first.
const PROBLEMS_SHOWN_MAX: usize = 500;

pub(super) async fn render_problems(console: &JobServerContext) -> Value {
    let job = console.assemble_job().await;
    let totals = job.totals();
    json!({
        "now_ms": job.now_ms,
        "counts": {
            "late_events": totals.late_events, "dead_letters": totals.dead_letters, "refused_rows": totals.refused_rows,
        },
        "late_events": newest_items(&job, |one| &one.late_events, |late| late.at_ms, PROBLEMS_SHOWN_MAX),
        "dead_letters": newest_items(&job, |one| &one.dead_letters, |letter| letter.at_ms, PROBLEMS_SHOWN_MAX),
        "exceptions": newest_items(&job, |one| &one.exceptions, |exception| exception.at_ms, PROBLEMS_SHOWN_MAX),
        "attention": job.attention_items(console.pipeline.checkpoint.interval_ms),
    })
}

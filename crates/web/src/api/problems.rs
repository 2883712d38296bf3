//! `/api/problems`.

use serde_json::{Value, json};

use super::newest;
use crate::Console;

/// Of each kind, newest first.
const SHOWN_MAX: usize = 500;

pub(super) async fn of(console: &Console) -> Value {
    let job = console.job().await;
    let totals = job.totals();
    json!({
        "now_ms": job.now_ms,
        "counts": {
            "late_events": totals.late_events, "dead_letters": totals.dead_letters, "refused_rows": totals.refused_rows,
        },
        "late_events": newest(&job, |one| &one.late_events, |late| late.at_ms, SHOWN_MAX),
        "dead_letters": newest(&job, |one| &one.dead_letters, |letter| letter.at_ms, SHOWN_MAX),
        "exceptions": newest(&job, |one| &one.exceptions, |exception| exception.at_ms, SHOWN_MAX),
        "attention": job.attention(console.pipeline.checkpoint.every_ms),
    })
}

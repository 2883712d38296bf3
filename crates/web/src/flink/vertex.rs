//! `/jobs/:id/vertices/:vid`, its watermarks and its back-pressure.

use serde_json::{Map, Value, json};

use super::io::SubtaskIo;
use super::job::MAX_PARALLELISM;
use super::look::FlinkJob;
use super::metrics;
use super::stage::{Subtask, Vertex, count_per_state};

/// `/jobs/:id/vertices/:vid`
pub(super) fn render_vertex_details(look: &FlinkJob<'_>, stage: Vertex) -> Value {
    let subtasks = look.subtasks(stage);
    let each: Vec<Value> = subtasks.iter().map(|subtask| render_subtask(look, subtask)).collect();
    json!({
        "id": look.vertex_id(&stage),
        "name": stage.name(look.pipeline),
        "parallelism": subtasks.len(),
        "maxParallelism": MAX_PARALLELISM.max(look.partition_count()),
        "now": look.now_ms,
        "subtasks": each,
        "aggregated": render_aggregated(look, &subtasks),
    })
}

fn render_subtask(look: &FlinkJob<'_>, subtask: &Subtask<'_>) -> Value {
    let start = subtask.started_at_ms();
    let duration = start.map_or(-1, |start| look.now_ms - start);
    json!({
        "subtask": subtask.index,
        "status": subtask.status(),
        "attempt": 0,
        "endpoint": subtask.host(),
        "host": subtask.host(),
        "start-time": start.unwrap_or(-1),
        "start_time": start.unwrap_or(-1),
        "end-time": -1,
        "duration": duration,
        "metrics": subtask.io().to_json(),
        "taskmanager-id": subtask.task_manager_id(),
        "status-duration": render_durations(|state| json!(if subtask.status() == state { duration.max(0) } else { 0 })),
    })
}

/// Distributions over the subtasks.
fn render_aggregated(look: &FlinkJob<'_>, subtasks: &[Subtask<'_>]) -> Value {
    let all: Vec<SubtaskIo> = subtasks.iter().map(Subtask::io).collect();
    let spread =
        |of: fn(&SubtaskIo) -> u64| super::checkpoints::render_summary(&all.iter().map(of).collect::<Vec<_>>());
    let metrics: Map<String, Value> = [
        ("read-bytes", spread(|io| io.bytes_read.unwrap_or_default())),
        ("write-bytes", spread(|_| 0)),
        ("read-records", spread(|io| io.read)),
        ("write-records", spread(|io| io.written)),
        ("accumulated-backpressured-time", spread(|io| io.backpressured_ms)),
        ("accumulated-idle-time", spread(|io| io.idle_ms)),
        ("accumulated-busy-time", spread(|io| io.busy_ms)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let up = |subtask: &Subtask<'_>| {
        let start = subtask.started_at_ms().unwrap_or(look.now_ms);
        u64::try_from(look.now_ms - start).unwrap_or_default()
    };
    let durations = render_durations(|state| {
        let in_state = subtasks.iter().filter(|subtask| subtask.status() == state).map(up).collect::<Vec<_>>();
        super::checkpoints::render_summary(&in_state)
    });
    json!({
        "metrics": metrics,
        "status-duration": durations,
        "subtasks": count_per_state(subtasks.iter().map(Subtask::status), str::to_owned),
    })
}

/// `of` each state whose duration Flink's client takes for granted.
fn render_durations(of: impl Fn(&str) -> Value) -> Value {
    let states = ["CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING"];
    states.into_iter().map(|state| (state.to_owned(), of(state))).collect::<Map<_, _>>().into()
}

/// `/jobs/:id/vertices/:vid/watermarks`
pub(super) fn render_watermarks(look: &FlinkJob<'_>, stage: Vertex) -> Value {
    let each = |subtask: &Subtask<'_>| {
        json!({
            "id": format!("{}.currentInputWatermark", subtask.index),
            "value": metrics::watermark_or_minimum(subtask).to_string(),
        })
    };
    look.subtasks(stage).iter().map(each).collect()
}

/// `/jobs/:id/vertices/:vid/backpressure`
pub(super) fn render_backpressure(look: &FlinkJob<'_>, stage: Vertex) -> Value {
    let each = |subtask: &Subtask<'_>| {
        let io = subtask.io();
        let level = backpressure_level(io.backpressured_per_s / 1e3);
        json!({
            "subtask": subtask.index,
            "attempt-number": 0,
            "backpressureLevel": level,
            "backpressure-level": level,
            "ratio": io.backpressured_per_s / 1e3,
            "idleRatio": io.idle_per_s / 1e3,
            "busyRatio": io.busy_per_s / 1e3,
        })
    };
    let subtasks = look.subtasks(stage);
    let worst = subtasks.iter().map(|subtask| subtask.io().backpressured_per_s / 1e3).fold(0.0, f64::max);
    json!({
        "status": "ok",
        "backpressureLevel": backpressure_level(worst),
        "backpressure-level": backpressure_level(worst),
        "end-timestamp": look.now_ms,
        "subtasks": subtasks.iter().map(each).collect::<Vec<_>>(),
    })
}

/// Flink's thresholds.
fn backpressure_level(ratio: f64) -> &'static str {
    if ratio <= 0.1 {
        "ok"
    } else if ratio <= 0.5 {
        "low"
    } else {
        "high"
    }
}

//! Renders a vertex in detail: `/jobs/:id/vertices/:vid`, its watermarks and its back-pressure.

use serde_json::{Map, Value, json};

use super::checkpoints::render_distribution;
use super::flink_job::FlinkJob;
use super::job::max_parallelism;
use super::metrics::watermark_ms_or_flink_minimum;
use super::subtask::{Subtask, render_task_state_counts};
use super::subtask_io::SubtaskIo;
use super::vertex::Vertex;

/// The task states for which Flink's client requires a duration.
const STATES_WITH_DURATION: [&str; 5] = ["CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING"];
/// Flink calls the back-pressure of a subtask `ok` if the subtask is back-pressured for at most this share of its time.
const MAX_OK_BACKPRESSURE_RATIO: f64 = 0.1;
/// Flink calls the back-pressure of a subtask `low` if the subtask is back-pressured for at most this share of its
/// time. Flink calls the back-pressure `high` if the share is larger.
const MAX_LOW_BACKPRESSURE_RATIO: f64 = 0.5;

/// Renders `/jobs/:id/vertices/:vid`.
pub(super) fn render_vertex_details(job: &FlinkJob<'_>, vertex: Vertex) -> Value {
    let subtasks = job.subtasks(vertex);
    let rendered: Vec<Value> = subtasks.iter().map(|subtask| render_subtask(job, subtask)).collect();
    json!({
        "id": job.vertex_id(vertex),
        "name": vertex.name(job.pipeline),
        "parallelism": subtasks.len(),
        "maxParallelism": max_parallelism(job),
        "now": job.now_ms,
        "subtasks": rendered,
        "aggregated": render_subtask_aggregates(job, &subtasks),
    })
}

fn render_subtask(job: &FlinkJob<'_>, subtask: &Subtask<'_>) -> Value {
    let start_ms = subtask.started_at_ms();
    let duration_ms = start_ms.map_or(-1, |start| job.now_ms - start);
    let in_state = |state: &str| json!(if subtask.status() == state { duration_ms.max(0) } else { 0 });
    json!({
        "subtask": subtask.index,
        "status": subtask.status(),
        "attempt": 0,
        "endpoint": subtask.host(),
        "host": subtask.host(),
        "start-time": start_ms.unwrap_or(-1),
        "start_time": start_ms.unwrap_or(-1),
        "end-time": -1,
        "duration": duration_ms,
        "metrics": SubtaskIo::from_subtask(subtask).to_json(),
        "taskmanager-id": subtask.task_manager_id(),
        "status-duration": render_state_durations(in_state),
    })
}

/// Renders the minimum, maximum, mean and quantiles of each metric over the subtasks. Renders the same for the time
/// that the subtasks have spent in each state.
fn render_subtask_aggregates(job: &FlinkJob<'_>, subtasks: &[Subtask<'_>]) -> Value {
    let all: Vec<SubtaskIo> = subtasks.iter().map(SubtaskIo::from_subtask).collect();
    let summary = |select: fn(&SubtaskIo) -> u64| render_distribution(&all.iter().map(select).collect::<Vec<_>>());
    let metrics: Map<String, Value> = [
        ("read-bytes", summary(|io| io.bytes_read.unwrap_or_default())),
        ("write-bytes", summary(|_| 0)),
        ("read-records", summary(|io| io.records_read)),
        ("write-records", summary(|io| io.records_written)),
        ("accumulated-backpressured-time", summary(|io| io.backpressured_ms)),
        ("accumulated-idle-time", summary(|io| io.idle_ms)),
        ("accumulated-busy-time", summary(|io| io.busy_ms)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let uptime_ms = |subtask: &Subtask<'_>| {
        let start_ms = subtask.started_at_ms().unwrap_or(job.now_ms);
        u64::try_from(job.now_ms - start_ms).unwrap_or_default()
    };
    let durations = render_state_durations(|state| {
        let in_state = subtasks.iter().filter(|subtask| subtask.status() == state);
        render_distribution(&in_state.map(uptime_ms).collect::<Vec<_>>())
    });
    json!({
        "metrics": metrics,
        "status-duration": durations,
        "subtasks": render_task_state_counts(subtasks.iter().map(Subtask::status), str::to_owned),
    })
}

fn render_state_durations(duration_in_state: impl Fn(&str) -> Value) -> Value {
    let durations = STATES_WITH_DURATION.into_iter().map(|state| (state.to_owned(), duration_in_state(state)));
    durations.collect::<Map<_, _>>().into()
}

/// Renders `/jobs/:id/vertices/:vid/watermarks`.
pub(super) fn render_watermarks(job: &FlinkJob<'_>, vertex: Vertex) -> Value {
    let render = |subtask: &Subtask<'_>| {
        json!({
            "id": format!("{}.currentInputWatermark", subtask.index),
            "value": watermark_ms_or_flink_minimum(subtask).to_string(),
        })
    };
    job.subtasks(vertex).iter().map(render).collect()
}

/// Renders `/jobs/:id/vertices/:vid/backpressure`.
pub(super) fn render_backpressure(job: &FlinkJob<'_>, vertex: Vertex) -> Value {
    let render = |subtask: &Subtask<'_>| {
        let io = SubtaskIo::from_subtask(subtask);
        let level = backpressure_level(io.backpressured_ms_per_s / 1e3);
        json!({
            "subtask": subtask.index,
            "attempt-number": 0,
            "backpressureLevel": level,
            "backpressure-level": level,
            "ratio": io.backpressured_ms_per_s / 1e3,
            "idleRatio": io.idle_ms_per_s / 1e3,
            "busyRatio": io.busy_ms_per_s / 1e3,
        })
    };
    let subtasks = job.subtasks(vertex);
    let ratios = subtasks.iter().map(|subtask| SubtaskIo::from_subtask(subtask).backpressured_ms_per_s / 1e3);
    let worst_level = backpressure_level(ratios.fold(0.0, f64::max));
    json!({
        "status": "ok",
        "backpressureLevel": worst_level,
        "backpressure-level": worst_level,
        "end-timestamp": job.now_ms,
        "subtasks": subtasks.iter().map(render).collect::<Vec<_>>(),
    })
}

fn backpressure_level(ratio: f64) -> &'static str {
    if ratio <= MAX_OK_BACKPRESSURE_RATIO {
        "ok"
    } else if ratio <= MAX_LOW_BACKPRESSURE_RATIO {
        "low"
    } else {
        "high"
    }
}

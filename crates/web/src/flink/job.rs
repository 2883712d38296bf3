//! `/jobs` and what is below it of the job as a whole.

use serde_json::{Map, Value, json};

use super::io::SubtaskIo;
use super::look::FlinkJob;
use super::plan;
use super::stage::{Subtask, Vertex, count_per_state};

/// A vertex's largest parallelism; Flink's default, since a topic may grow.
pub(super) const MAX_PARALLELISM: usize = 128;
/// Flink's states of a job.
const JOB_STATES: [&str; 11] = [
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "RESTARTING",
    "SUSPENDED",
    "RECONCILING",
];

/// `/jobs`
pub(super) fn render_jobs(look: &FlinkJob<'_>) -> Value {
    json!({ "jobs": [{ "id": look.id, "status": look.status() }] })
}

/// `/jobs/overview`
pub(super) fn render_jobs_overview(look: &FlinkJob<'_>) -> Value {
    let mut tasks = count_per_state(all_subtasks(look).iter().map(Subtask::status), str::to_lowercase);
    if let Value::Object(tasks) = &mut tasks {
        tasks.insert("total".to_owned(), json!(all_subtasks(look).len()));
    }
    json!({ "jobs": [{
        "jid": look.id,
        "name": look.pipeline.name,
        "job-type": "STREAMING",
        "schedulerType": "Default",
        "start-time": look.started_at_ms(),
        "end-time": -1,
        "duration": look.now_ms - look.started_at_ms(),
        "state": look.status(),
        "last-modification": last_modification_ms(look),
        "tasks": tasks,
        "pending-operators": 0,
    }] })
}

/// `/jobs/:id/status`
pub(super) fn render_status(look: &FlinkJob<'_>) -> Value {
    json!({ "status": look.status() })
}

/// `/jobs/:id`
pub(super) fn render_job(look: &FlinkJob<'_>) -> Value {
    let vertices: Vec<Value> = look.vertices().into_iter().map(|stage| render_vertex(look, stage)).collect();
    let states = look.vertices().into_iter().map(|stage| vertex_status(&look.subtasks(stage)));
    json!({
        "jid": look.id,
        "name": look.pipeline.name,
        "isStoppable": true,
        "state": look.status(),
        "job-type": "STREAMING",
        "schedulerType": "Default",
        "start-time": look.started_at_ms(),
        "end-time": -1,
        "duration": look.now_ms - look.started_at_ms(),
        "maxParallelism": MAX_PARALLELISM.max(look.partition_count()),
        "now": look.now_ms,
        "timestamps": render_timestamps(look),
        "vertices": vertices,
        "status-counts": count_per_state(states, str::to_owned),
        "plan": plan::render_plan(look),
        "pending-operators": 0,
    })
}

/// When the job came into each state; 0 where it never was or it is not known.
fn render_timestamps(look: &FlinkJob<'_>) -> Value {
    let at = |state: &str| match state {
        "INITIALIZING" | "CREATED" => look.started_at_ms(),
        "RUNNING" if look.status() == "RUNNING" => last_modification_ms(look),
        "CANCELLING" if look.status() == "CANCELLING" => look.now_ms,
        _ => 0,
    };
    JOB_STATES.into_iter().map(|state| (state.to_owned(), json!(at(state)))).collect::<Map<_, _>>().into()
}

/// The newest start, or change of owners.
fn last_modification_ms(look: &FlinkJob<'_>) -> i64 {
    let marks = look.instances.iter().flat_map(|one| &one.marks);
    let changes = marks.filter(|mark| ["started", "assigned", "revoked"].contains(&mark.kind.as_str()));
    changes.map(|mark| mark.at_ms).max().unwrap_or_default().max(look.started_at_ms())
}

fn all_subtasks<'a>(look: &'a FlinkJob<'_>) -> Vec<Subtask<'a>> {
    look.vertices().into_iter().flat_map(|stage| look.subtasks(stage)).collect()
}

/// A vertex is what the least of its subtasks is.
pub(super) fn vertex_status(subtasks: &[Subtask<'_>]) -> &'static str {
    let least = ["CANCELING", "SCHEDULED", "INITIALIZING"];
    least.into_iter().find(|state| subtasks.iter().any(|one| one.status() == *state)).unwrap_or("RUNNING")
}

fn render_vertex(look: &FlinkJob<'_>, stage: Vertex) -> Value {
    let subtasks = look.subtasks(stage);
    let start = subtasks.iter().filter_map(Subtask::started_at_ms).min();
    let io: Vec<SubtaskIo> = subtasks.iter().map(Subtask::io).collect();
    let mut io = SubtaskIo::sum(&io);
    if stage == Vertex::Source {
        io.bytes_read = Some(look.instances.iter().flat_map(|one| &one.workers).map(|worker| worker.bytes).sum());
    }
    json!({
        "id": look.vertex_id(&stage),
        "slotSharingGroupId": look.id,
        "name": stage.name(look.pipeline),
        "maxParallelism": MAX_PARALLELISM.max(look.partition_count()),
        "parallelism": subtasks.len(),
        "status": vertex_status(&subtasks),
        "start-time": start.unwrap_or(-1),
        "end-time": -1,
        "duration": start.map_or(-1, |start| look.now_ms - start),
        "tasks": count_per_state(subtasks.iter().map(Subtask::status), str::to_owned),
        "metrics": io.to_json(),
    })
}

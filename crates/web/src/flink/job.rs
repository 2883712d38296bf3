//! Renders `/jobs`, `/jobs/overview`, `/jobs/:id` and `/jobs/:id/status`.

use serde_json::{Map, Value, json};

use super::flink_job::FlinkJob;
use super::plan::render_plan;
use super::subtask::{Subtask, render_task_state_counts};
use super::subtask_io::SubtaskIo;
use super::vertex::Vertex;
use crate::report::ChartMark;

/// The maximum parallelism of a vertex, unless the topic has more partitions. Flink has the same default.
const FLINK_DEFAULT_MAX_PARALLELISM: usize = 128;
/// All states that Flink has for a job.
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

/// Renders `/jobs`.
pub(super) fn render_jobs(job: &FlinkJob<'_>) -> Value {
    json!({ "jobs": [{ "id": job.id, "status": job.status() }] })
}

/// Renders `/jobs/overview`.
pub(super) fn render_jobs_overview(job: &FlinkJob<'_>) -> Value {
    let subtasks: Vec<Subtask<'_>> = job.vertices().into_iter().flat_map(|vertex| job.subtasks(vertex)).collect();
    let mut tasks = render_task_state_counts(subtasks.iter().map(Subtask::status), str::to_lowercase);
    if let Value::Object(tasks) = &mut tasks {
        tasks.insert("total".to_owned(), json!(subtasks.len()));
    }
    json!({ "jobs": [{
        "jid": job.id,
        "name": job.pipeline.name,
        "job-type": "STREAMING",
        "schedulerType": "Default",
        "start-time": job.started_at_ms(),
        "end-time": -1,
        "duration": job.now_ms - job.started_at_ms(),
        "state": job.status(),
        "last-modification": last_owner_change_at_ms(job),
        "tasks": tasks,
        "pending-operators": 0,
    }] })
}

/// Renders `/jobs/:id/status`.
pub(super) fn render_job_status(job: &FlinkJob<'_>) -> Value {
    json!({ "status": job.status() })
}

/// Renders `/jobs/:id`.
pub(super) fn render_job(job: &FlinkJob<'_>) -> Value {
    let vertices: Vec<Value> = job.vertices().into_iter().map(|vertex| render_vertex(job, vertex)).collect();
    let states = job.vertices().into_iter().map(|vertex| vertex_status(&job.subtasks(vertex)));
    json!({
        "jid": job.id,
        "name": job.pipeline.name,
        "isStoppable": true,
        "state": job.status(),
        "job-type": "STREAMING",
        "schedulerType": "Default",
        "start-time": job.started_at_ms(),
        "end-time": -1,
        "duration": job.now_ms - job.started_at_ms(),
        "maxParallelism": max_parallelism(job),
        "now": job.now_ms,
        "timestamps": render_state_timestamps(job),
        "vertices": vertices,
        "status-counts": render_task_state_counts(states, str::to_owned),
        "plan": render_plan(job),
        "pending-operators": 0,
    })
}

/// Returns the maximum parallelism of a vertex, which is at least the number of partitions.
pub(super) fn max_parallelism(job: &FlinkJob<'_>) -> usize {
    FLINK_DEFAULT_MAX_PARALLELISM.max(job.partition_count())
}

/// Renders, for each of Flink's job states, the time at which the job entered the state. The time is 0 if the job never
/// entered the state, or if the time is unknown.
fn render_state_timestamps(job: &FlinkJob<'_>) -> Value {
    let entered_at_ms = |state: &str| match state {
        "INITIALIZING" | "CREATED" => job.started_at_ms(),
        "RUNNING" if job.status() == "RUNNING" => last_owner_change_at_ms(job),
        "CANCELLING" if job.status() == "CANCELLING" => job.now_ms,
        _ => 0,
    };
    JOB_STATES.into_iter().map(|state| (state.to_owned(), json!(entered_at_ms(state)))).collect::<Map<_, _>>().into()
}

/// Returns the time of the newest event that may have changed the owner of a partition. Such an event is the start of
/// an instance, or an assignment or revocation of partitions. The result is never earlier than the start of the job.
fn last_owner_change_at_ms(job: &FlinkJob<'_>) -> i64 {
    let marks = job.instances.iter().flat_map(|instance| &instance.recent_chart_marks);
    let changes = marks.filter(|mark| ChartMark::is_partition_owner_change(mark));
    changes.map(|mark| mark.occurred_at_ms).max().unwrap_or_default().max(job.started_at_ms())
}

/// Returns the state of a vertex. The state is `RUNNING` if all subtasks of the vertex are running. Otherwise the state
/// is the first of `CANCELING`, `SCHEDULED` and `INITIALIZING` that a subtask has.
fn vertex_status(subtasks: &[Subtask<'_>]) -> &'static str {
    let has = |state: &&str| subtasks.iter().any(|subtask| subtask.status() == *state);
    ["CANCELING", "SCHEDULED", "INITIALIZING"].into_iter().find(has).unwrap_or("RUNNING")
}

fn render_vertex(job: &FlinkJob<'_>, vertex: Vertex) -> Value {
    let subtasks = job.subtasks(vertex);
    let start_ms = subtasks.iter().filter_map(Subtask::started_at_ms).min();
    let io: Vec<SubtaskIo> = subtasks.iter().map(SubtaskIo::from_subtask).collect();
    let mut io = SubtaskIo::sum_subtasks(&io);
    if vertex == Vertex::Source {
        let workers = job.instances.iter().flat_map(|instance| &instance.workers);
        io.bytes_read = Some(workers.map(|worker| worker.bytes_read).sum());
    }
    json!({
        "id": job.vertex_id(vertex),
        "slotSharingGroupId": job.id,
        "name": vertex.name(job.pipeline),
        "maxParallelism": max_parallelism(job),
        "parallelism": subtasks.len(),
        "status": vertex_status(&subtasks),
        "start-time": start_ms.unwrap_or(-1),
        "end-time": -1,
        "duration": start_ms.map_or(-1, |start| job.now_ms - start),
        "tasks": render_task_state_counts(subtasks.iter().map(Subtask::status), str::to_owned),
        "metrics": io.to_json(),
    })
}

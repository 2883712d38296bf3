//! Renders rounds of checkpoints as JSON.

use serde_json::{Value, json};

use super::round::{CheckpointRound, collect_checkpoint_rounds};
use super::summary::render_distribution;
use crate::answers::HttpFault;
use crate::flink::fault::{bad_path_parameter, not_found};
use crate::flink::flink_job::FlinkJob;
use crate::flink::vertex::Vertex;
use crate::report::{CheckpointCounts, CheckpointStatus};

/// Renders `/jobs/:id/checkpoints`.
pub(crate) fn render_checkpoint_statistics(job: &FlinkJob<'_>) -> Value {
    let rounds = collect_checkpoint_rounds(job);
    let completed: Vec<_> = rounds.iter().filter(|round| round.status() == CheckpointStatus::Completed).collect();
    let summary = |select: fn(&CheckpointRound<'_>) -> u64| {
        render_distribution(&completed.iter().map(|round| select(round)).collect::<Vec<_>>())
    };
    let render = |round: Option<&CheckpointRound<'_>>| round.map_or(Value::Null, |round| render_round(job, round));
    let newest_checkpoint = completed.iter().copied().find(|round| round.savepoint_name.is_none());
    let newest_savepoint = completed.iter().copied().find(|round| round.savepoint_name.is_some());
    let newest_failed = rounds.iter().find(|round| round.status() == CheckpointStatus::Failed);
    json!({
        "counts": render_checkpoint_counts(job),
        "summary": {
            "checkpointed_size": summary(|round| round.total_added_bytes()),
            "state_size": summary(|round| round.total_state_bytes()),
            "end_to_end_duration": summary(|round| round.longest_duration_ms()),
            "alignment_buffered": summary(|_| 0),
            "processed_data": summary(|_| 0),
            "persisted_data": summary(|_| 0),
        },
        "latest": {
            "completed": render(newest_checkpoint),
            "savepoint": render(newest_savepoint),
            "failed": render(newest_failed),
            "restored": render_last_restore(job),
        },
        "history": rounds.iter().map(|round| render_round(job, round)).collect::<Vec<_>>(),
    })
}

/// Renders `/jobs/:id/checkpoints/details/:cid`.
pub(crate) fn render_checkpoint_details(job: &FlinkJob<'_>, id: &str) -> Result<Value, HttpFault> {
    let parsed: i64 = id.parse().map_err(|_| bad_path_parameter("checkpointid", id))?;
    let rounds = collect_checkpoint_rounds(job);
    let unknown = || not_found(format!("Could not find checkpointing statistics for checkpoint {id}."));
    let round = rounds.iter().find(|round| round.id == parsed).ok_or_else(unknown)?;
    let mut details = render_round(job, round);
    details["tasks"] = json!({ job.vertex_id(Vertex::Source): render_common_round_fields(round) });
    Ok(details)
}

/// Renders how many partition checkpoints have completed, have failed and are in progress, and how many partitions were
/// restored. The counts of an instance begin at its start.
fn render_checkpoint_counts(job: &FlinkJob<'_>) -> Value {
    let counts = job.instances.iter().map(|instance| instance.checkpoint_counts);
    let sum = counts.fold(CheckpointCounts::default(), CheckpointCounts::add_counts);
    json!({
        "restored": sum.restored_partition_count,
        "total": sum.completed_count + sum.failed_count + sum.in_progress_count,
        "in_progress": sum.in_progress_count,
        "completed": sum.completed_count,
        "failed": sum.failed_count,
    })
}

/// Renders the most recent restore of any partition, with the checkpoint or savepoint from which the partition was
/// restored.
fn render_last_restore(job: &FlinkJob<'_>) -> Value {
    let restored = job.instances.iter().flat_map(|instance| &instance.recent_restores);
    let Some(newest) = restored.max_by_key(|restore| restore.restored_at_ms) else { return Value::Null };
    json!({
        "id": newest.checkpoint_number,
        "restore_timestamp": newest.restored_at_ms,
        "is_savepoint": newest.origin_savepoint_location.is_some(),
        "external_path": newest.origin_savepoint_location.as_deref().unwrap_or(job.checkpoint_location),
    })
}

/// Renders a round with an empty field `tasks`. As in Flink, only `/checkpoints/details/:cid` fills this field.
fn render_round(job: &FlinkJob<'_>, round: &CheckpointRound<'_>) -> Value {
    let status = round.status();
    let is_savepoint = round.savepoint_name.is_some();
    let by_kind = json!({
        // Flink's client requires this field. The field names the Java class into which the client converts the JSON
        // object.
        "className": flink_statistics_type(status),
        "is_savepoint": is_savepoint,
        "savepointFormat": if is_savepoint { json!("CANONICAL") } else { Value::Null },
        "trigger_timestamp": round.first_began_at_ms(),
        "checkpoint_type": if is_savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "tasks": {},
    });
    let by_status = match status {
        CheckpointStatus::InProgress => json!({}),
        CheckpointStatus::Completed => {
            let mut places = round.newest_checkpoint_by_partition.values().map(|part| part.location.as_str());
            let savepoint_place = places.find(|place| is_savepoint && !place.is_empty());
            json!({ "external_path": savepoint_place.unwrap_or(job.checkpoint_location), "discarded": false })
        }
        CheckpointStatus::Failed => json!({
            "failure_timestamp": round.last_ended_at_ms().unwrap_or_else(|| round.first_began_at_ms()),
            "failure_message": round.describe_failed_partitions(),
        }),
    };
    let mut value = render_common_round_fields(round);
    for fields in [by_kind, by_status] {
        if let (Value::Object(value), Value::Object(fields)) = (&mut value, fields) {
            value.extend(fields);
        }
    }
    value
}

/// Renders the fields that the JSON of a round and the JSON of each entry in its field `tasks` have in common.
fn render_common_round_fields(round: &CheckpointRound<'_>) -> Value {
    json!({
        "id": round.id,
        "status": flink_checkpoint_status(round.status()),
        "latest_ack_timestamp": round.last_ended_at_ms().unwrap_or(-1),
        "checkpointed_size": round.total_added_bytes(),
        "state_size": round.total_state_bytes(),
        "end_to_end_duration": round.longest_duration_ms(),
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": round.expected_partition_count,
        "num_acknowledged_subtasks": round.completed_partition_count(),
    })
}

fn flink_checkpoint_status(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::InProgress => "IN_PROGRESS",
        CheckpointStatus::Completed => "COMPLETED",
        CheckpointStatus::Failed => "FAILED",
    }
}

fn flink_statistics_type(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::InProgress => "in_progress",
        CheckpointStatus::Completed => "completed",
        CheckpointStatus::Failed => "failed",
    }
}

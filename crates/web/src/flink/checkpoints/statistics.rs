//! Rounds as JSON, and what they are like together.

use serde_json::{Value, json};

use super::history::{CheckpointRound, checkpoint_rounds};
use crate::flink::fault::{self, HttpFault};
use crate::flink::look::FlinkJob;
use crate::flink::stage::Vertex;
use crate::report::{CheckpointCounts, CheckpointStatus};

/// `/jobs/:id/checkpoints`
pub(in crate::flink) fn render_checkpoint_statistics(look: &FlinkJob<'_>) -> Value {
    let rounds = checkpoint_rounds(look);
    let completed: Vec<&CheckpointRound<'_>> =
        rounds.iter().filter(|one| one.status() == CheckpointStatus::Completed).collect();
    let spread =
        |of: fn(&CheckpointRound<'_>) -> u64| render_summary(&completed.iter().map(|one| of(one)).collect::<Vec<_>>());
    let newest = |status, savepoint| {
        let found = rounds.iter().find(|one| one.status() == status && one.savepoint.is_some() == savepoint);
        found.map_or(Value::Null, |one| render_round(look, one, false))
    };
    let failed = rounds.iter().find(|one| one.status() == CheckpointStatus::Failed);
    json!({
        "counts": render_counts(look),
        "summary": {
            "checkpointed_size": spread(|one| one.added_bytes()),
            "state_size": spread(|one| one.state_bytes()),
            "end_to_end_duration": spread(|one| one.duration_ms()),
            "alignment_buffered": spread(|_| 0),
            "processed_data": spread(|_| 0),
            "persisted_data": spread(|_| 0),
        },
        "latest": {
            "completed": newest(CheckpointStatus::Completed, false),
            "savepoint": newest(CheckpointStatus::Completed, true),
            "failed": failed.map_or(Value::Null, |one| render_round(look, one, false)),
            "restored": render_last_restore(look),
        },
        "history": rounds.iter().map(|one| render_round(look, one, false)).collect::<Vec<_>>(),
    })
}

/// `/jobs/:id/checkpoints/details/:cid`
pub(in crate::flink) fn render_checkpoint_details(look: &FlinkJob<'_>, id: &str) -> Result<Value, HttpFault> {
    let parsed: i64 = id.parse().map_err(|_| {
        fault::bad_request(format!("Cannot resolve path parameter (checkpointid) from value \"{id}\"."))
    })?;
    let rounds = checkpoint_rounds(look);
    let found = rounds.iter().find(|one| one.id == parsed);
    let found = found
        .ok_or_else(|| fault::not_found(format!("Could not find checkpointing statistics for checkpoint {id}.")))?;
    Ok(render_round(look, found, true))
}

/// These count what Windrow counts: checkpoints of partitions, since the instances started.
fn render_counts(look: &FlinkJob<'_>) -> Value {
    let mut sum = CheckpointCounts::default();
    for counts in look.instances.iter().map(|one| one.checkpoint_counts) {
        sum.completed += counts.completed;
        sum.failed += counts.failed;
        sum.in_progress += counts.in_progress;
        sum.restored += counts.restored;
    }
    json!({
        "restored": sum.restored,
        "total": sum.completed + sum.failed + sum.in_progress,
        "in_progress": sum.in_progress,
        "completed": sum.completed,
        "failed": sum.failed,
    })
}

/// The partition restored last.
fn render_last_restore(look: &FlinkJob<'_>) -> Value {
    let newest = look.instances.iter().flat_map(|one| &one.restored).max_by_key(|restored| restored.at_ms);
    let Some(newest) = newest else { return Value::Null };
    json!({
        "id": newest.number,
        "restore_timestamp": newest.at_ms,
        "is_savepoint": newest.savepoint.is_some(),
        "external_path": newest.savepoint.as_deref().unwrap_or(look.checkpoint_place),
    })
}

/// One checkpoint; `tasks` are told only in its details, as in Flink.
fn render_round(look: &FlinkJob<'_>, round: &CheckpointRound<'_>, tasks: bool) -> Value {
    let status = round.status();
    let savepoint = round.savepoint.is_some();
    let mut value = render_common_fields(round);
    let place = match savepoint {
        true => round.parts.values().map(|part| part.place.as_str()).find(|place| !place.is_empty()),
        false => None,
    };
    let more = match status {
        CheckpointStatus::InProgress => json!({}),
        CheckpointStatus::Completed => {
            json!({ "external_path": place.unwrap_or(look.checkpoint_place), "discarded": false })
        }
        CheckpointStatus::Failed => json!({
            "failure_timestamp": round.ended_at_ms().unwrap_or_else(|| round.began_at_ms()),
            "failure_message": round.describe_failure(),
        }),
    };
    let tasks = if tasks { json!({ look.vertex_id(&Vertex::Source): render_common_fields(round) }) } else { json!({}) };
    let full = json!({
        // Which of Flink's classes it is; Flink's client asks for it.
        "className": class_name(status),
        "is_savepoint": savepoint,
        "savepointFormat": if savepoint { json!("CANONICAL") } else { Value::Null },
        "trigger_timestamp": round.began_at_ms(),
        "checkpoint_type": if savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "tasks": tasks,
    });
    for part in [full, more] {
        if let (Value::Object(value), Value::Object(part)) = (&mut value, part) {
            value.extend(part);
        }
    }
    value
}

/// What a checkpoint and its part in a vertex are both said by.
fn render_common_fields(round: &CheckpointRound<'_>) -> Value {
    json!({
        "id": round.id,
        "status": flink_status(round.status()),
        "latest_ack_timestamp": round.ended_at_ms().unwrap_or(-1),
        "checkpointed_size": round.added_bytes(),
        "state_size": round.state_bytes(),
        "end_to_end_duration": round.duration_ms(),
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": round.expected_parts,
        "num_acknowledged_subtasks": round.completed_parts(),
    })
}

fn flink_status(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::InProgress => "IN_PROGRESS",
        CheckpointStatus::Completed => "COMPLETED",
        CheckpointStatus::Failed => "FAILED",
    }
}

fn class_name(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::InProgress => "in_progress",
        CheckpointStatus::Completed => "completed",
        CheckpointStatus::Failed => "failed",
    }
}

/// Smallest, largest, mean and quantiles (linear between two values); all 0 without values.
#[allow(clippy::cast_precision_loss)] // bytes and milliseconds
pub(in crate::flink) fn render_summary(values: &[u64]) -> Value {
    let mut values = values.to_vec();
    values.sort_unstable();
    let avg = values.iter().map(|value| u128::from(*value)).sum::<u128>() / values.len().max(1) as u128;
    json!({
        "min": values.first().copied().unwrap_or_default(),
        "max": values.last().copied().unwrap_or_default(),
        "avg": u64::try_from(avg).unwrap_or(u64::MAX),
        "p50": quantile(&values, 0.5),
        "p90": quantile(&values, 0.9),
        "p95": quantile(&values, 0.95),
        "p99": quantile(&values, 0.99),
        "p999": quantile(&values, 0.999),
    })
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the values
fn quantile(sorted: &[u64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share * last as f64;
    let below = at.floor() as usize;
    let (low, high) = (sorted[below] as f64, sorted[(below + 1).min(last)] as f64);
    low + (high - low) * (at - at.floor())
}

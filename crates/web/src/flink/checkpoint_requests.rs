//! Remembers the requests for checkpoints, and answers whether a request is complete. Flink calls such a request a
//! trigger.
//!
//! Unlike in Flink, a request starts no checkpoint. It waits for the next regular checkpoint of each partition, which
//! begins at most one checkpoint interval later. The request is complete as soon as every partition that has an owner
//! has completed a checkpoint that began after the request. A partition without new records since its last checkpoint
//! needs no further checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::checkpoints::{CHECKPOINT_TIMEOUT_MS, CheckpointRound, collect_checkpoint_rounds};
use super::fault::{conflict, not_found};
use super::flink_job::FlinkJob;
use super::request_body::CheckpointRequestBody;
use super::savepoint_operations::{parse_trigger_id_in_path, render_operation_status, trigger_id_or_random};
use super::throwable::render_failure_cause;
use crate::answers::HttpFault;
use crate::report::CheckpointStatus;

/// The largest number of remembered checkpoint requests. A further request replaces the oldest request.
const MAX_REMEMBERED_CHECKPOINT_REQUESTS: usize = 50;

/// The checkpoint requests that this instance received, oldest first. Clones share the same requests.
#[derive(Clone, Default)]
pub(super) struct CheckpointRequests(Arc<Mutex<VecDeque<CheckpointRequest>>>);

/// A request for a checkpoint.
struct CheckpointRequest {
    id: String,
    requested_at_ms: i64,
}

/// The state of a checkpoint request.
enum CheckpointRequestState {
    Pending,
    /// The requested checkpoint of every partition that has an owner is complete. `round_id` is the id of the newest
    /// round of checkpoints.
    Completed {
        round_id: i64,
    },
    Failed {
        reason: String,
    },
}

/// Answers POST `/jobs/:id/checkpoints`. Remembers the request, and returns the id of the request.
pub(super) fn remember_checkpoint_request(
    job: &FlinkJob<'_>,
    requests: &CheckpointRequests,
    body: CheckpointRequestBody,
) -> Result<Value, HttpFault> {
    let id = trigger_id_or_random(body.trigger_id)?;
    if job.status() == "CANCELLING" {
        return Err(conflict(
            "The job is stopping and takes its last checkpoint, so no other checkpoint can be requested.",
        ));
    }
    let mut known = requests.0.lock();
    if !known.iter().any(|request| request.id == id) {
        if known.len() == MAX_REMEMBERED_CHECKPOINT_REQUESTS {
            known.pop_front();
        }
        known.push_back(CheckpointRequest { id: id.clone(), requested_at_ms: job.now_ms });
    }
    Ok(json!({ "request-id": id }))
}

/// Answers GET `/jobs/:id/checkpoints/:triggerid`.
pub(super) fn render_checkpoint_request_status(
    job: &FlinkJob<'_>,
    requests: &CheckpointRequests,
    trigger_id: &str,
) -> Result<Value, HttpFault> {
    let id = parse_trigger_id_in_path(trigger_id)?;
    let requested_at_ms =
        requests.0.lock().iter().find(|request| request.id == id).map(|request| request.requested_at_ms);
    let requested_at_ms = requested_at_ms.ok_or_else(|| {
        not_found(format!("There is no checkpoint operation with triggerId={id} for job {}.", job.id))
    })?;
    Ok(match compute_request_state(job, requested_at_ms) {
        CheckpointRequestState::Pending => render_operation_status("IN_PROGRESS", &Value::Null),
        CheckpointRequestState::Completed { round_id } => {
            render_operation_status("COMPLETED", &json!({ "checkpointId": round_id }))
        }
        CheckpointRequestState::Failed { reason } => {
            render_operation_status("COMPLETED", &json!({ "failureCause": render_failure_cause(&reason) }))
        }
    })
}

fn compute_request_state(job: &FlinkJob<'_>, requested_at_ms: i64) -> CheckpointRequestState {
    let rounds = collect_checkpoint_rounds(job);
    let checkpoints = || rounds.iter().filter(|round| round.savepoint_name.is_none());
    let has_part = |round: &CheckpointRound<'_>, partition: i32, status: CheckpointStatus| {
        let part = round.newest_checkpoint_by_partition.get(&partition);
        part.is_some_and(|part| part.status == status && part.began_at_ms >= requested_at_ms)
    };
    let mut newest_id = checkpoints().next().map_or(requested_at_ms, |round| round.id);
    let owned: Vec<_> = job.instances.iter().flat_map(|instance| &instance.owned_partitions).collect();
    let mut failure = None;
    let mut is_pending = owned.is_empty();
    for owned in owned {
        let has_nothing_new = owned.next_offset.is_some() && owned.next_offset == owned.last_checkpoint_offset;
        let find = |status| checkpoints().find(|round| has_part(round, owned.partition, status));
        if let Some(round) = find(CheckpointStatus::Completed) {
            newest_id = newest_id.max(round.id);
        } else if let Some(round) = find(CheckpointStatus::Failed) {
            failure = Some(round.describe_failed_partitions());
        } else if !has_nothing_new {
            is_pending = true;
        }
    }
    if let Some(reason) = failure {
        return CheckpointRequestState::Failed { reason };
    }
    if !is_pending {
        return CheckpointRequestState::Completed { round_id: newest_id };
    }
    if job.now_ms - requested_at_ms > CHECKPOINT_TIMEOUT_MS + job.pipeline.checkpoint.checkpoint_interval_ms {
        return CheckpointRequestState::Failed {
            reason: "some partitions did not complete a checkpoint in time".to_owned(),
        };
    }
    CheckpointRequestState::Pending
}

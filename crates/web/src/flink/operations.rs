//! What is asked of the job: savepoints, a stop, a checkpoint; and what became of it.
//!
//! A checkpoint that was asked for is Windrow's next one: each partition takes its own when it is due, at most one interval
//! later. It is complete once every owned partition has one that was cut after the request (or nothing new to save).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::body;
use super::checkpoints::{CheckpointRound, checkpoint_rounds};
use super::fault::{self, HttpFault};
use super::look::{FlinkJob, is_flink_id};
use super::throwable::render_failure_cause;
use crate::controls::random_hex_digits;
use crate::report::CheckpointStatus;
use crate::{JobServerContext, SavepointState};

/// Requests for checkpoints that are remembered.
const REMEMBERED_TRIGGERS: usize = 50;
/// How long a checkpoint may take, which `/checkpoints/config` says too; beyond the interval.
const CHECKPOINT_TIMEOUT_MS: i64 = 600_000;

/// Checkpoints that were asked for here, oldest first: trigger id and when.
#[derive(Clone, Default)]
pub(super) struct CheckpointTriggers(Arc<Mutex<VecDeque<(String, i64)>>>);

impl CheckpointTriggers {
    fn lock_triggers(&self) -> MutexGuard<'_, VecDeque<(String, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// POST `/jobs/:id/savepoints`
pub(super) fn begin_savepoint(console: &JobServerContext, body: body::SavepointBody) -> Result<Value, HttpFault> {
    request_savepoint(console, body.target_directory.as_deref(), body.trigger_id, body.cancel_job.unwrap_or_default())
}

/// POST `/jobs/:id/stop`
pub(super) fn stop_with_savepoint(console: &JobServerContext, body: body::StopBody) -> Result<Value, HttpFault> {
    if body.drain.unwrap_or_default() {
        return Err(fault::bad_request(
            "Windrow does not drain: windows that are open when the job stops are not fired early, they stay in the savepoint \
             and fire when the job goes on from it. Stop without drain (the flink command: without -d).",
        ));
    }
    request_savepoint(console, body.target_directory.as_deref(), body.trigger_id, true)
}

fn request_savepoint(
    console: &JobServerContext,
    target: Option<&str>,
    trigger: Option<String>,
    stop: bool,
) -> Result<Value, HttpFault> {
    let trigger = match body::parse_trigger_id(trigger)? {
        Some(trigger) => trigger,
        None => random_hex_digits(32)?,
    };
    if console.savepoint_state(&trigger).is_none() && console.stop_signal.is_requested() {
        return Err(fault::conflict("The job is stopping and takes no savepoint any more."));
    }
    let request = console.begin_savepoint(target, Some(trigger), stop)?;
    Ok(json!({ "request-id": request }))
}

/// GET `/jobs/:id/savepoints/:triggerid`
pub(super) fn render_savepoint_status(
    console: &JobServerContext,
    job: &str,
    trigger: &str,
) -> Result<Value, HttpFault> {
    check_trigger_id(trigger)?;
    let trigger = trigger.to_ascii_lowercase();
    let found = console.savepoint_state(&trigger);
    match found {
        None => {
            Err(fault::not_found(format!("There is no savepoint operation with triggerId={trigger} for job {job}.")))
        }
        Some(SavepointState::InProgress { .. }) => Ok(render_operation("IN_PROGRESS", &Value::Null)),
        Some(SavepointState::Completed { location, .. }) => {
            Ok(render_operation("COMPLETED", &json!({ "location": location })))
        }
        Some(SavepointState::Failed { reason }) => {
            Ok(render_operation("COMPLETED", &json!({ "failure-cause": render_failure_cause(&reason) })))
        }
    }
}

fn check_trigger_id(trigger: &str) -> Result<(), HttpFault> {
    if is_flink_id(trigger) {
        return Ok(());
    }
    Err(fault::bad_request(format!("Cannot resolve path parameter (triggerid) from value \"{trigger}\".")))
}

fn render_operation(id: &str, operation: &Value) -> Value {
    json!({ "status": { "id": id }, "operation": operation })
}

/// POST `/jobs/:id/checkpoints`
pub(super) fn request_checkpoint(
    look: &FlinkJob<'_>,
    triggers: &CheckpointTriggers,
    body: body::CheckpointBody,
) -> Result<Value, HttpFault> {
    let trigger = match body::parse_trigger_id(body.trigger_id)? {
        Some(trigger) => trigger,
        None => random_hex_digits(32)?,
    };
    if look.status() == "CANCELLING" {
        return Err(fault::conflict("The job is stopping; it takes its last checkpoint by itself."));
    }
    let mut list = triggers.lock_triggers();
    if !list.iter().any(|(known, _)| *known == trigger) {
        if list.len() == REMEMBERED_TRIGGERS {
            list.pop_front();
        }
        list.push_back((trigger.clone(), look.now_ms));
    }
    Ok(json!({ "request-id": trigger }))
}

/// GET `/jobs/:id/checkpoints/:triggerid`
pub(super) fn render_checkpoint_status(
    look: &FlinkJob<'_>,
    triggers: &CheckpointTriggers,
    trigger: &str,
) -> Result<Value, HttpFault> {
    check_trigger_id(trigger)?;
    let trigger = trigger.to_ascii_lowercase();
    let asked = triggers.lock_triggers().iter().find(|(known, _)| *known == trigger).map(|(_, at_ms)| *at_ms);
    let asked = asked.ok_or_else(|| {
        fault::not_found(format!("There is no checkpoint operation with triggerId={trigger} for job {}.", look.id))
    })?;
    Ok(match checkpoint_outcome(look, asked) {
        None => render_operation("IN_PROGRESS", &Value::Null),
        Some(Ok(id)) => render_operation("COMPLETED", &json!({ "checkpointId": id })),
        Some(Err(reason)) => render_operation("COMPLETED", &json!({ "failureCause": render_failure_cause(&reason) })),
    })
}

/// The checkpoint with which all that was read before `asked` is saved; absent while it is not.
fn checkpoint_outcome(look: &FlinkJob<'_>, asked_ms: i64) -> Option<Result<i64, String>> {
    let rounds = checkpoint_rounds(look);
    let plain = || rounds.iter().filter(|round| round.savepoint.is_none());
    let since = |round: &CheckpointRound<'_>, partition: i32, status: CheckpointStatus| {
        let part = round.parts.get(&partition);
        part.is_some_and(|part| part.status == status && part.began_at_ms >= asked_ms)
    };
    let mut newest = plain().next().map_or(asked_ms, |round| round.id);
    let owned: Vec<_> = look.instances.iter().flat_map(|one| &one.partitions).collect();
    let mut failure = None;
    let mut missing = owned.is_empty();
    for owned in owned {
        let saved = owned.offset.is_some() && owned.offset == owned.checkpoint_offset;
        let of = |status| plain().find(|round| since(round, owned.partition, status));
        if let Some(round) = of(CheckpointStatus::Completed) {
            newest = newest.max(round.id);
        } else if let Some(round) = of(CheckpointStatus::Failed) {
            failure = Some(round.describe_failure());
        } else if !saved {
            missing = true;
        }
    }
    if let Some(failure) = failure {
        return Some(Err(failure));
    }
    if !missing {
        return Some(Ok(newest));
    }
    let late = look.now_ms - asked_ms > CHECKPOINT_TIMEOUT_MS + look.pipeline.checkpoint.interval_ms;
    late.then(|| Err("not every partition has taken a checkpoint in time".to_owned()))
}

//! What is asked of the job: savepoints, a stop, a checkpoint; and what became of it.
//!
//! A checkpoint that was asked for is Windrow's next one: each partition takes its own when it is due, at most one interval
//! later. It is complete once every owned partition has one that was cut after the request (or nothing new to save).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::body;
use super::checkpoints::{Round, rounds};
use super::fault::{self, Fault};
use super::look::{Look, is_id};
use super::throwable::failure;
use crate::controls::random_digits;
use crate::report::CheckpointStatus;
use crate::{Console, SavepointState};

/// Requests for checkpoints that are remembered.
const REMEMBERED: usize = 50;
/// How long a checkpoint may take, which `/checkpoints/config` says too; beyond the interval.
const PATIENCE_MS: i64 = 600_000;

/// Checkpoints that were asked for here, oldest first: trigger id and when.
#[derive(Clone, Default)]
pub(super) struct Triggers(Arc<Mutex<VecDeque<(String, i64)>>>);

impl Triggers {
    fn list(&self) -> MutexGuard<'_, VecDeque<(String, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// POST `/jobs/:id/savepoints`
pub(super) fn savepoint(console: &Console, body: body::Savepoint) -> Result<Value, Fault> {
    begin(console, body.target.as_deref(), body.trigger, body.cancel.unwrap_or_default())
}

/// POST `/jobs/:id/stop`
pub(super) fn stop(console: &Console, body: body::Stop) -> Result<Value, Fault> {
    if body.drain.unwrap_or_default() {
        return Err(fault::bad(
            "Windrow does not drain: windows that are open when the job stops are not fired early, they stay in the savepoint \
             and fire when the job goes on from it. Stop without drain (the flink command: without -d).",
        ));
    }
    begin(console, body.target.as_deref(), body.trigger, true)
}

fn begin(console: &Console, target: Option<&str>, trigger: Option<String>, stop: bool) -> Result<Value, Fault> {
    let trigger = match body::trigger(trigger)? {
        Some(trigger) => trigger,
        None => random_digits(32)?,
    };
    if console.savepoint(&trigger).is_none() && console.stop.requested() {
        return Err(fault::conflict("The job is stopping and takes no savepoint any more."));
    }
    let request = console.begin_savepoint(target, Some(trigger), stop)?;
    Ok(json!({ "request-id": request }))
}

/// GET `/jobs/:id/savepoints/:triggerid`
pub(super) fn savepoint_status(console: &Console, job: &str, trigger: &str) -> Result<Value, Fault> {
    parse(trigger)?;
    let trigger = trigger.to_ascii_lowercase();
    let found = console.savepoint(&trigger);
    match found {
        None => Err(fault::unknown(format!("There is no savepoint operation with triggerId={trigger} for job {job}."))),
        Some(SavepointState::InProgress { .. }) => Ok(status("IN_PROGRESS", &Value::Null)),
        Some(SavepointState::Completed { location, .. }) => Ok(status("COMPLETED", &json!({ "location": location }))),
        Some(SavepointState::Failed { reason }) => {
            Ok(status("COMPLETED", &json!({ "failure-cause": failure(&reason) })))
        }
    }
}

fn parse(trigger: &str) -> Result<(), Fault> {
    if is_id(trigger) {
        return Ok(());
    }
    Err(fault::bad(format!("Cannot resolve path parameter (triggerid) from value \"{trigger}\".")))
}

fn status(id: &str, operation: &Value) -> Value {
    json!({ "status": { "id": id }, "operation": operation })
}

/// POST `/jobs/:id/checkpoints`
pub(super) fn checkpoint(look: &Look<'_>, triggers: &Triggers, body: body::Checkpoint) -> Result<Value, Fault> {
    let trigger = match body::trigger(body.trigger)? {
        Some(trigger) => trigger,
        None => random_digits(32)?,
    };
    if look.status() == "CANCELLING" {
        return Err(fault::conflict("The job is stopping; it takes its last checkpoint by itself."));
    }
    let mut list = triggers.list();
    if !list.iter().any(|(known, _)| *known == trigger) {
        if list.len() == REMEMBERED {
            list.pop_front();
        }
        list.push_back((trigger.clone(), look.now_ms));
    }
    Ok(json!({ "request-id": trigger }))
}

/// GET `/jobs/:id/checkpoints/:triggerid`
pub(super) fn checkpoint_status(look: &Look<'_>, triggers: &Triggers, trigger: &str) -> Result<Value, Fault> {
    parse(trigger)?;
    let trigger = trigger.to_ascii_lowercase();
    let asked = triggers.list().iter().find(|(known, _)| *known == trigger).map(|(_, at_ms)| *at_ms);
    let asked = asked.ok_or_else(|| {
        fault::unknown(format!("There is no checkpoint operation with triggerId={trigger} for job {}.", look.id))
    })?;
    Ok(match outcome(look, asked) {
        None => status("IN_PROGRESS", &Value::Null),
        Some(Ok(id)) => status("COMPLETED", &json!({ "checkpointId": id })),
        Some(Err(reason)) => status("COMPLETED", &json!({ "failureCause": failure(&reason) })),
    })
}

/// The checkpoint with which all that was read before `asked` is saved; absent while it is not.
fn outcome(look: &Look<'_>, asked_ms: i64) -> Option<Result<i64, String>> {
    let rounds = rounds(look);
    let plain = || rounds.iter().filter(|round| round.savepoint.is_none());
    let since = |round: &Round<'_>, partition: i32, status: CheckpointStatus| {
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
            failure = Some(round.failure());
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
    let late = look.now_ms - asked_ms > PATIENCE_MS + look.pipeline.checkpoint.every_ms;
    late.then(|| Err("not every partition has taken a checkpoint in time".to_owned()))
}

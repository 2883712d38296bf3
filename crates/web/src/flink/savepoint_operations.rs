//! Begins savepoints, and answers whether a savepoint is complete. After a savepoint, the job can continue or stop.

use serde_json::{Value, json};

use super::fault::{bad_path_parameter, bad_request, conflict, not_found};
use super::flink_job::is_flink_id;
use super::request_body::{FlinkSavepointRequestBody, StopRequestBody, parse_trigger_id};
use super::throwable::render_failure_cause;
use crate::answers::HttpFault;
use crate::controls::{AfterSavepoint, HttpSavepointRequest, SavepointRefusal, SavepointState};
use crate::random::random_hex_digits;
use crate::server_context::JobServerContext;

/// Answers POST `/jobs/:id/savepoints`.
pub(super) fn begin_savepoint(context: &JobServerContext, body: FlinkSavepointRequestBody) -> Result<Value, HttpFault> {
    let stops_job = body.cancel_job.unwrap_or_default();
    let request = HttpSavepointRequest {
        target_directory: body.target_directory.as_deref(),
        request_name: Some(trigger_id_or_random(body.trigger_id)?),
        after_completion: if stops_job { AfterSavepoint::StopJob } else { AfterSavepoint::KeepRunning },
    };
    submit_savepoint_request(context, request)
}

/// Answers POST `/jobs/:id/stop`.
pub(super) fn begin_stop_with_savepoint(context: &JobServerContext, body: StopRequestBody) -> Result<Value, HttpFault> {
    if body.drain.unwrap_or_default() {
        return Err(bad_request(
            "Windrow does not drain: a stop does not fire open windows. The savepoint keeps them, and they fire after \
             a start from it. Stop without drain (the flink command: without -d).",
        ));
    }
    let request = HttpSavepointRequest {
        target_directory: body.target_directory.as_deref(),
        request_name: Some(trigger_id_or_random(body.trigger_id)?),
        after_completion: AfterSavepoint::StopJob,
    };
    submit_savepoint_request(context, request)
}

fn submit_savepoint_request(context: &JobServerContext, request: HttpSavepointRequest<'_>) -> Result<Value, HttpFault> {
    let is_known = request.request_name.as_ref().is_some_and(|name| context.look_up_savepoint_state(name).is_some());
    if !is_known && context.stop_signal.is_requested() {
        return Err(conflict("The job is stopping, so no other savepoint can be requested."));
    }
    let request = context.begin_savepoint(request)?;
    Ok(json!({ "request-id": request }))
}

/// Answers GET `/jobs/:id/savepoints/:triggerid`.
pub(super) fn render_savepoint_status(
    context: &JobServerContext,
    job_id: &str,
    trigger_id: &str,
) -> Result<Value, HttpFault> {
    let trigger_id = parse_trigger_id_in_path(trigger_id)?;
    match context.look_up_savepoint_state(&trigger_id) {
        None => {
            Err(not_found(format!("There is no savepoint operation with triggerId={trigger_id} for job {job_id}.")))
        }
        Some(SavepointState::InProgress { .. }) => Ok(render_operation_status("IN_PROGRESS", &Value::Null)),
        Some(SavepointState::Completed { location, .. }) => {
            Ok(render_operation_status("COMPLETED", &json!({ "location": location })))
        }
        Some(SavepointState::Failed { reason }) => {
            Ok(render_operation_status("COMPLETED", &json!({ "failure-cause": render_failure_cause(&reason) })))
        }
    }
}

/// Returns the trigger id in a request's body, or a random trigger id if the body has none.
pub(super) fn trigger_id_or_random(trigger_id: Option<String>) -> Result<String, HttpFault> {
    match parse_trigger_id(trigger_id)? {
        Some(trigger_id) => Ok(trigger_id),
        None => Ok(random_hex_digits(32).map_err(SavepointRefusal::NoRandomNumbers)?),
    }
}

/// Converts the trigger id in a path to lower case. In Flink's API, a trigger id identifies the request for a savepoint
/// or checkpoint. Returns a fault if the id is not 32 hexadecimal digits.
pub(super) fn parse_trigger_id_in_path(trigger_id: &str) -> Result<String, HttpFault> {
    if is_flink_id(trigger_id) {
        Ok(trigger_id.to_ascii_lowercase())
    } else {
        Err(bad_path_parameter("triggerid", trigger_id))
    }
}

/// Renders the status of a requested savepoint or checkpoint. `operation` is the result or the reason of the failure,
/// and null while in progress. As in Flink, a failed operation also has the status `COMPLETED`.
pub(super) fn render_operation_status(status: &str, operation: &Value) -> Value {
    json!({ "status": { "id": status }, "operation": operation })
}

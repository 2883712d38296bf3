//! Renders `/jobs/:id/exceptions`: the warnings and errors from the logs of all instances.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::fault::bad_query_parameter;
use super::flink_job::FlinkJob;
use crate::answers::HttpFault;

/// The largest number of warnings and errors in an answer if the request sets no limit. Flink has the same default.
const DEFAULT_MAX_EXCEPTIONS: usize = 20;

/// Renders the newest warnings and errors, newest first. `max` is the largest number of them, as the text of the query
/// parameter `maxExceptions`.
pub(super) fn render_exceptions(job: &FlinkJob<'_>, max: Option<&str>) -> Result<Value, HttpFault> {
    let max = match max {
        None => DEFAULT_MAX_EXCEPTIONS,
        Some(text) => match text.parse::<usize>() {
            Ok(max) if max > 0 => max,
            _ => return Err(bad_query_parameter("maxExceptions", text)),
        },
    };
    let all =
        job.instances.iter().flat_map(|instance| instance.recent_logged_problems.iter().map(move |it| (instance, it)));
    let mut newest_first: Vec<_> = all.collect();
    newest_first.sort_by_key(|(_, exception)| Reverse(exception.logged_at_ms));
    let entries: Vec<Value> = newest_first
        .iter()
        .take(max)
        .map(|(instance, exception)| {
            json!({
                "exceptionName": format!("{} {}", exception.log_level, exception.logging_module),
                "stacktrace": exception.log_message,
                "timestamp": exception.logged_at_ms,
                "failureLabels": {},
                "taskName": exception.logging_module,
                "endpoint": instance.host,
                "location": instance.host,
                "taskManagerId": instance.instance_id,
                "concurrentExceptions": [],
            })
        })
        .collect();
    let is_truncated = newest_first.len() > max;
    let newest_error =
        newest_first.iter().map(|(_, exception)| *exception).find(|exception| exception.log_level == "error");
    Ok(json!({
        "exceptionHistory": { "entries": entries, "truncated": is_truncated },
        // Clients of Flink up to 1.20 require these fields. `root-exception` and `timestamp` repeat the newest error.
        "root-exception": newest_error.map(|exception| exception.log_message.as_str()),
        "timestamp": newest_error.map(|exception| exception.logged_at_ms),
        "all-exceptions": [],
        "truncated": is_truncated,
    }))
}

//! `/jobs/:id/exceptions`: the warnings and errors of all instances' logs.

use serde_json::{Value, json};

use super::fault::{self, HttpFault};
use super::look::FlinkJob;

/// Flink's default.
const EXCEPTIONS_DEFAULT: usize = 20;

/// Newest first, at most `max` of them.
pub(super) fn render_exceptions(look: &FlinkJob<'_>, max: Option<&str>) -> Result<Value, HttpFault> {
    let max = match max.map(|max| (max, max.parse::<usize>())) {
        None => EXCEPTIONS_DEFAULT,
        Some((_, Ok(max))) if max > 0 => max,
        Some((text, _)) => {
            return Err(fault::bad_request(format!(
                "Cannot resolve query parameter (maxExceptions) from value \"{text}\"."
            )));
        }
    };
    let mut all: Vec<_> =
        look.instances.iter().flat_map(|one| one.exceptions.iter().map(move |exception| (one, exception))).collect();
    all.sort_by_key(|(_, exception)| std::cmp::Reverse(exception.at_ms));
    let entries: Vec<Value> = all
        .iter()
        .take(max)
        .map(|(one, exception)| {
            json!({
                "exceptionName": format!("{} {}", exception.level, exception.target),
                "stacktrace": exception.message,
                "timestamp": exception.at_ms,
                "failureLabels": {},
                "taskName": exception.target,
                "endpoint": one.host,
                "location": one.host,
                "taskManagerId": one.instance,
                "concurrentExceptions": [],
            })
        })
        .collect();
    let truncated = all.len() > max;
    let newest = all.iter().map(|(_, exception)| *exception).find(|exception| exception.level == "error");
    Ok(json!({
        "exceptionHistory": { "entries": entries, "truncated": truncated },
        // Flink up to 1.20 says the same once more, and its client misses what is left out.
        "root-exception": newest.map(|exception| exception.message.as_str()),
        "timestamp": newest.map(|exception| exception.at_ms),
        "all-exceptions": [],
        "truncated": truncated,
    }))
}

//! Every number of a report is in the metrics, or in this list with its reason.

use serde_json::Value;

use crate::{render_report, reports};

/// Fields without a metric, by their path in the report's JSON.
const FIELDS_WITHOUT_METRIC: &[&str] = &[
    // Prometheus computes rates from counters and quantiles from buckets, over any time.
    "workers.records_per_s",
    "workers.busy_ms_per_s",
    "workers.idle_ms_per_s",
    "workers.backpressured_ms_per_s",
    "views.rows_per_s",
    "partitions.records_per_s",
    "redis.rows_per_s",
    "redis.transaction_ms",
    "freshness.event_time.p50_ms",
    "freshness.event_time.p99_ms",
    "freshness.append.p50_ms",
    "freshness.append.p99_ms",
    // They identify the checkpoint; the offset and size of the last one are those of its partition.
    "checkpoints.epoch",
    "checkpoints.number",
    "checkpoints.offset",
    "checkpoints.state_bytes",
    "restored.epoch",
    "restored.number",
    "restored.offset",
    // When a partition was parked and is opened again is for people; Prometheus sees since when the metric is 1.
    "parked_partitions.since_ms",
    "parked_partitions.retry_at_ms",
];

/// The paths of all numbers and truth values below `value`, as JSON pointers.
fn collect_number_pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| collect_number_pointers(value, &format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| collect_number_pointers(value, &format!("{pointer}/{index}"), found));
        }
        Value::Number(_) | Value::Bool(_) => found.push(pointer.to_owned()),
        Value::Null | Value::String(_) => {}
    }
}

/// The path without places in lists.
fn field_path(pointer: &str) -> String {
    let names = pointer.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err());
    names.collect::<Vec<_>>().join(".")
}

#[test]
fn every_number_of_a_report_is_a_metric() {
    let report = serde_json::to_value(reports::full_report()).expect("a report is JSON");
    let before = render_report(&reports::full_report());
    let mut pointers = Vec::new();
    collect_number_pointers(&report, "", &mut pointers);
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for pointer in &pointers {
        let mut changed = report.clone();
        let value = changed.pointer_mut(pointer).expect("it was there");
        *value = match &*value {
            Value::Bool(flag) => Value::Bool(!*flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Value::from(whole + 1_000),
                None => Value::from(number.as_f64().expect("a float") + 1.0),
            },
            other => other.clone(),
        };
        let changed = serde_json::from_value(changed).expect("it is a report still");
        if render_report(&changed) == before { &mut hidden } else { &mut shown }.push(field_path(pointer));
    }
    hidden.retain(|field| !shown.contains(field));
    hidden.sort();
    hidden.dedup();
    let mut left_out = FIELDS_WITHOUT_METRIC.to_vec();
    left_out.sort_unstable();
    assert_eq!(hidden, left_out, "fields that no metric shows, and those that may be left out");
}

/// The test above is complete only while the report sets every field that holds a number.
#[test]
fn the_full_report_leaves_nothing_at_its_default() {
    let report = serde_json::to_value(reports::full_report()).expect("a report is JSON");
    // The sum of the missing rows is a metric; which rows they are is for people.
    let by_people = [
        "history",
        "marks",
        "late_events",
        "dead_letters",
        "input_problems",
        "exceptions",
        "savepoints",
        "missing_rows",
    ];
    for (name, value) in report.as_object().expect("an object") {
        let empty = value.as_array().is_some_and(Vec::is_empty) || value.is_null() || value.as_str() == Some("");
        assert_eq!(empty, by_people.contains(&name.as_str()), "{name}: {value}");
    }
}

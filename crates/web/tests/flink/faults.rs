//! Asking wrongly: each answer has the status and the form that Flink gives, and says what is wrong.

use axum::http::StatusCode;
use serde_json::Value;

use crate::support::Job;

const NOBODY: &str = "ffffffffffffffffffffffffffffffff";

fn refused(job: &Job, verb: &str, path: &str, body: &str, status: u16, why: &str) {
    let (found, content_type, value) = job.ask(verb, path, body);
    assert_eq!(found.as_u16(), status, "{verb} {path} {body}: {value}");
    assert!(content_type.starts_with("application/json"), "{verb} {path}: {content_type}");
    let errors = value["errors"].as_array().unwrap_or_else(|| panic!("{verb} {path}: {value}"));
    let said = errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{verb} {path}: {said}");
    assert_eq!(value.as_object().map(serde_json::Map::len), Some(1), "nothing but errors: {value}");
}

#[test]
fn what_is_not_there_is_404() {
    let job = Job::new();
    let id = job.id();
    for rest in ["", "/status", "/exceptions", "/checkpoints", "/checkpoints/config", "/checkpoints/details/1"] {
        refused(&job, "GET", &format!("/jobs/{NOBODY}{rest}"), "", 404, &format!("Job {NOBODY} not found"));
    }
    for rest in ["", "/metrics", "/subtasks/metrics", "/watermarks", "/backpressure"] {
        let path = format!("/v1/jobs/{id}/vertices/{NOBODY}{rest}");
        refused(&job, "GET", &path, "", 404, &format!("JobVertex {NOBODY} not found"));
    }
    refused(&job, "GET", &format!("/jobs/{id}/checkpoints/details/17"), "", 404, "checkpoint 17");
    let unknown = "There is no savepoint operation with triggerId=ffff";
    refused(&job, "GET", &format!("/jobs/{id}/savepoints/{NOBODY}"), "", 404, unknown);
    refused(&job, "GET", &format!("/jobs/{id}/checkpoints/{NOBODY}"), "", 404, "no checkpoint operation");
    for (verb, rest) in [("POST", "/savepoints"), ("POST", "/stop"), ("POST", "/checkpoints"), ("PATCH", "")] {
        refused(&job, verb, &format!("/jobs/{NOBODY}{rest}"), "{}", 404, "not found");
    }
    assert!(!job.console.stop.requested(), "nobody was stopped by mistake");
}

#[test]
fn what_is_malformed_is_400() {
    let job = Job::new();
    let id = job.id();
    refused(&job, "GET", "/jobs/xyz", "", 400, "Cannot resolve path parameter (jobid) from value \"xyz\"");
    refused(&job, "GET", &format!("/jobs/{id}/vertices/xyz"), "", 400, "(vertexid)");
    refused(&job, "GET", &format!("/jobs/{id}/savepoints/xyz"), "", 400, "(triggerid)");
    refused(&job, "GET", &format!("/jobs/{id}/checkpoints/xyz"), "", 400, "(triggerid)");
    refused(&job, "GET", &format!("/jobs/{id}/checkpoints/details/xyz"), "", 400, "(checkpointid)");
    refused(&job, "GET", &format!("/jobs/{id}/exceptions?maxExceptions=many"), "", 400, "(maxExceptions)");
    refused(&job, "GET", "/jobs/%ff", "", 400, "could not parse parameters");
    refused(&job, "PATCH", &format!("/jobs/{id}?mode=suspend"), "", 400, "(mode)");
    refused(&job, "PATCH", &format!("/jobs/{id}?mode=stop"), "", 400, "/stop");
    let source = &job.vertices()[0];
    let metrics = format!("/jobs/{id}/vertices/{source}/subtasks/metrics");
    refused(&job, "GET", &format!("{metrics}?agg=median"), "", 400, "(agg)");
    refused(&job, "GET", &format!("{metrics}?subtasks=first"), "", 400, "(subtasks)");
    for (rest, name) in [
        ("savepoints", "SavepointTriggerRequestBody"),
        ("stop", "StopWithSavepointRequestBody"),
        ("checkpoints", "CheckpointTriggerRequestBody"),
    ] {
        for body in ["{", "[]", "[null]", "7", "\"text\"", "{\"unheard\": 1}", "{\"triggerId\": 7}", "{}{}", "\u{0}"] {
            let why = format!("Request did not match expected format {name}");
            refused(&job, "POST", &format!("/jobs/{id}/{rest}"), body, 400, &why);
        }
        let body = "{\"triggerId\": \"../../etc\"}";
        refused(&job, "POST", &format!("/jobs/{id}/{rest}"), body, 400, "32 hexadecimal digits");
    }
    for body in ["{\"formatType\": \"PARQUET\"}", "{\"cancel-job\": \"yes\"}", "{\"target-directory\": 7}"] {
        refused(&job, "POST", &format!("/jobs/{id}/savepoints"), body, 400, "expected format");
    }
    refused(&job, "POST", &format!("/jobs/{id}/checkpoints"), "{\"checkpointType\": \"HALF\"}", 400, "expected format");
    assert!(!job.console.stop.requested(), "nobody was stopped by mistake");
}

#[test]
fn state_is_not_sent_elsewhere() {
    let job = Job::new();
    for to in ["https://u:hunter2@evil/a", "s3://elsewhere/a", "relative"] {
        let body = format!("{{\"target-directory\": \"{to}\"}}");
        let (status, _, value) = job.ask("POST", &format!("/jobs/{}/savepoints", job.id()), &body);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{value}");
        assert!(!value.to_string().contains("hunter2"), "{value}");
    }
}

#[test]
fn draining_is_refused_with_the_way_out() {
    let job = Job::new();
    let body = "{\"targetDirectory\": \"/tmp/never\", \"drain\": true}";
    refused(&job, "POST", &format!("/jobs/{}/stop", job.id()), body, 400, "they stay in the savepoint");
    assert!(!job.console.stop.requested());
}

#[test]
fn another_verb_is_405() {
    let job = Job::new();
    let id = job.id();
    for (verb, path) in [
        ("POST", "/jobs".to_owned()),
        ("DELETE", format!("/jobs/{id}")),
        ("PUT", "/v1/config".to_owned()),
        ("GET", format!("/jobs/{id}/stop")),
        ("GET", format!("/v1/jobs/{id}/savepoints")),
        ("PATCH", format!("/jobs/{id}/savepoints")),
    ] {
        refused(&job, verb, &path, "", 405, &path);
    }
}

#[test]
fn while_the_job_stops_nothing_new_is_begun() {
    let job = Job::new();
    job.console.stop.request();
    refused(&job, "POST", &format!("/jobs/{}/savepoints", job.id()), "{}", 409, "stopping");
    refused(&job, "POST", &format!("/jobs/{}/stop", job.id()), "{}", 409, "stopping");
}

//! Malformed requests: each answer has the status and the form that Flink gives, and a reason.

use axum::http::StatusCode;
use serde_json::Value;

use crate::support::TestJob;

const UNKNOWN_ID: &str = "ffffffffffffffffffffffffffffffff";

fn assert_refused(job: &TestJob, verb: &str, path: &str, body: &str, status: u16, why: &str) {
    let (found, content_type, value) = job.request(verb, path, body);
    assert_eq!(found.as_u16(), status, "{verb} {path} {body}: {value}");
    assert!(content_type.starts_with("application/json"), "{verb} {path}: {content_type}");
    let errors = value["errors"].as_array().unwrap_or_else(|| panic!("{verb} {path}: {value}"));
    let said = errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{verb} {path}: {said}");
    assert_eq!(value.as_object().map(serde_json::Map::len), Some(1), "nothing but errors: {value}");
}

#[test]
fn what_is_not_there_is_404() {
    let job = TestJob::new();
    let id = job.id();
    for rest in ["", "/status", "/exceptions", "/checkpoints", "/checkpoints/config", "/checkpoints/details/1"] {
        assert_refused(
            &job,
            "GET",
            &format!("/jobs/{UNKNOWN_ID}{rest}"),
            "",
            404,
            &format!("Job {UNKNOWN_ID} not found"),
        );
    }
    for rest in ["", "/metrics", "/subtasks/metrics", "/watermarks", "/backpressure"] {
        let path = format!("/v1/jobs/{id}/vertices/{UNKNOWN_ID}{rest}");
        assert_refused(&job, "GET", &path, "", 404, &format!("JobVertex {UNKNOWN_ID} not found"));
    }
    assert_refused(&job, "GET", &format!("/jobs/{id}/checkpoints/details/17"), "", 404, "checkpoint 17");
    let unknown = "There is no savepoint operation with triggerId=ffff";
    assert_refused(&job, "GET", &format!("/jobs/{id}/savepoints/{UNKNOWN_ID}"), "", 404, unknown);
    assert_refused(&job, "GET", &format!("/jobs/{id}/checkpoints/{UNKNOWN_ID}"), "", 404, "no checkpoint operation");
    for (verb, rest) in [("POST", "/savepoints"), ("POST", "/stop"), ("POST", "/checkpoints"), ("PATCH", "")] {
        assert_refused(&job, verb, &format!("/jobs/{UNKNOWN_ID}{rest}"), "{}", 404, "not found");
    }
    assert!(!job.context.stop_signal.is_requested(), "no job was stopped by mistake");
}

#[test]
fn what_is_malformed_is_400() {
    let job = TestJob::new();
    let id = job.id();
    assert_refused(&job, "GET", "/jobs/xyz", "", 400, "Cannot resolve path parameter (jobid) from value \"xyz\"");
    assert_refused(&job, "GET", &format!("/jobs/{id}/vertices/xyz"), "", 400, "(vertexid)");
    assert_refused(&job, "GET", &format!("/jobs/{id}/savepoints/xyz"), "", 400, "(triggerid)");
    assert_refused(&job, "GET", &format!("/jobs/{id}/checkpoints/xyz"), "", 400, "(triggerid)");
    assert_refused(&job, "GET", &format!("/jobs/{id}/checkpoints/details/xyz"), "", 400, "(checkpointid)");
    assert_refused(&job, "GET", &format!("/jobs/{id}/exceptions?maxExceptions=many"), "", 400, "(maxExceptions)");
    assert_refused(&job, "GET", "/jobs/%ff", "", 400, "could not parse parameters");
    assert_refused(&job, "PATCH", &format!("/jobs/{id}?mode=suspend"), "", 400, "(mode)");
    assert_refused(&job, "PATCH", &format!("/jobs/{id}?mode=stop"), "", 400, "/stop");
    let source = &job.vertices()[0];
    let metrics = format!("/jobs/{id}/vertices/{source}/subtasks/metrics");
    assert_refused(&job, "GET", &format!("{metrics}?agg=median"), "", 400, "(agg)");
    assert_refused(&job, "GET", &format!("{metrics}?subtasks=first"), "", 400, "(subtasks)");
    for (rest, name) in [
        ("savepoints", "SavepointTriggerRequestBody"),
        ("stop", "StopWithSavepointRequestBody"),
        ("checkpoints", "CheckpointTriggerRequestBody"),
    ] {
        for body in ["{", "[]", "[null]", "7", "\"text\"", "{\"unheard\": 1}", "{\"triggerId\": 7}", "{}{}", "\u{0}"] {
            let why = format!("Request did not match expected format {name}");
            assert_refused(&job, "POST", &format!("/jobs/{id}/{rest}"), body, 400, &why);
        }
        let body = "{\"triggerId\": \"../../etc\"}";
        assert_refused(&job, "POST", &format!("/jobs/{id}/{rest}"), body, 400, "32 hexadecimal digits");
    }
    for body in ["{\"formatType\": \"PARQUET\"}", "{\"cancel-job\": \"yes\"}", "{\"target-directory\": 7}"] {
        assert_refused(&job, "POST", &format!("/jobs/{id}/savepoints"), body, 400, "expected format");
    }
    assert_refused(
        &job,
        "POST",
        &format!("/jobs/{id}/checkpoints"),
        "{\"checkpointType\": \"HALF\"}",
        400,
        "expected format",
    );
    assert!(!job.context.stop_signal.is_requested(), "no job was stopped by mistake");
}

#[test]
fn state_is_not_sent_elsewhere() {
    let job = TestJob::new();
    for to in ["https://u:hunter2@evil/a", "s3://elsewhere/a", "relative", "/tmp", "file:///tmp"] {
        let body = format!("{{\"target-directory\": \"{to}\"}}");
        let (status, _, value) = job.request("POST", &format!("/jobs/{}/savepoints", job.id()), &body);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{value}");
        assert!(!value.to_string().contains("hunter2"), "{value}");
    }
}

#[test]
fn draining_is_refused_with_the_way_out() {
    let job = TestJob::new();
    let body = "{\"targetDirectory\": \"/tmp/never\", \"drain\": true}";
    assert_refused(&job, "POST", &format!("/jobs/{}/stop", job.id()), body, 400, "The savepoint keeps them");
    assert!(!job.context.stop_signal.is_requested());
}

#[test]
fn another_verb_is_405() {
    let job = TestJob::new();
    let id = job.id();
    for (verb, path) in [
        ("POST", "/jobs".to_owned()),
        ("DELETE", format!("/jobs/{id}")),
        ("PUT", "/v1/config".to_owned()),
        ("GET", format!("/jobs/{id}/stop")),
        ("GET", format!("/v1/jobs/{id}/savepoints")),
        ("PATCH", format!("/jobs/{id}/savepoints")),
    ] {
        assert_refused(&job, verb, &path, "", 405, &path);
    }
}

#[test]
fn while_the_job_stops_nothing_new_is_begun() {
    let job = TestJob::new();
    job.context.stop_signal.request();
    assert_refused(&job, "POST", &format!("/jobs/{}/savepoints", job.id()), "{}", 409, "stopping");
    assert_refused(&job, "POST", &format!("/jobs/{}/stop", job.id()), "{}", 409, "stopping");
}

//! Savepoints, stops and checkpoints that are asked for.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use windrow_test_support::HANG_TIMEOUT;
use windrow_web::report::{CheckpointReport, CheckpointStatus, InstanceState};

use crate::reports::{self, CHECKPOINT_INTERVAL_MS, NOW, checkpoint_report};
use crate::support::TestJob;

const TRIGGER: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_savepoint_is_accepted_once_and_can_be_polled() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = TestJob::with_savepoints_below(&format!("file:{}", folder.path().display()));
    let path = format!("/jobs/{}/savepoints", job.id());
    for format in ["\"CANONICAL\"", "\"NATIVE\"", "null"] {
        let to = folder.path().display();
        let body = format!(
            "{{\"target-directory\": \"{to}\", \"cancel-job\": false, \"formatType\": {format}, \"triggerId\": \"{TRIGGER}\"}}"
        );
        let (status, _, value) = job.request("POST", &path, &body);
        assert_eq!((status, value), (StatusCode::ACCEPTED, json!({ "request-id": TRIGGER })));
    }
    assert_eq!(
        job.context.savepoint_registry.savepoint_reports().len(),
        1,
        "asked again by the same name, nothing new is begun"
    );
    // No partition has a checkpoint in this store, so there is nothing to take a savepoint of.
    let until = Instant::now() + HANG_TIMEOUT;
    let failed = loop {
        let polled = job.get(&format!("/v1{path}/{TRIGGER}"));
        if polled != json!({ "status": { "id": "IN_PROGRESS" }, "operation": null }) {
            break polled;
        }
        assert!(Instant::now() < until, "{polled}");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(failed["status"]["id"], "COMPLETED", "Flink's word for over");
    let why = failed["operation"]["failure-cause"]["stack-trace"].as_str().expect("a reason");
    assert!(why.contains("there is no checkpoint in memory"), "{failed}");
}

#[test]
fn without_a_trigger_id_one_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = TestJob::with_savepoints_below(&format!("file:{}", folder.path().display()));
    let path = format!("/jobs/{}/savepoints", job.id());
    let body = json!({ "target-directory": format!("file://{}", folder.path().display()) }).to_string();
    let (status, _, value) = job.request("POST", &path, &body);
    assert_eq!(status, StatusCode::ACCEPTED, "{value}");
    let drawn = value["request-id"].as_str().expect("an id");
    assert!(drawn.len() == 32 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "{drawn}");
    job.get(&format!("{path}/{drawn}"));
    job.context.stop_signal.request();
}

#[test]
fn cancel_stops_every_instance() {
    let job = TestJob::new();
    let (status, _, value) = job.request("PATCH", &format!("/v1/jobs/{}?mode=cancel", job.id()), "");
    assert_eq!((status, value), (StatusCode::ACCEPTED, json!({})));
    let until = Instant::now() + HANG_TIMEOUT;
    while !job.context.stop_signal.is_requested() {
        assert!(Instant::now() < until, "it was not asked to stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = job.context.checkpoint_store.list_objects("instances").expect("a list");
    assert!(told.iter().any(|object| object.object_name == "instances/bbbbbbbbbbbbbbbb-stop"), "{told:?}");
}

#[test]
fn a_stopping_job_says_so() {
    let mut here = reports::own_report();
    here.state = InstanceState::Stopping;
    let job = TestJob::with_reports(here.clone(), &[reports::other_report()]);
    assert_eq!(job.get("/jobs")["jobs"][0]["status"], "RUNNING", "one instance keeps running");
    let job = TestJob::with_reports(here.clone(), &[]);
    assert_eq!(job.get("/jobs")["jobs"][0]["status"], "CANCELLING");
    here.state = InstanceState::Starting;
    assert_eq!(TestJob::with_reports(here, &[]).get("/jobs")["jobs"][0]["status"], "CREATED");
}

#[test]
fn a_checkpoint_that_was_asked_for_is_the_next_of_every_partition() {
    let job = TestJob::with_reports(reports::own_report(), &[]);
    let path = format!("/jobs/{}/checkpoints", job.id());
    let body = json!({ "checkpointType": "FULL", "triggerId": TRIGGER }).to_string();
    let (status, _, value) = job.request("POST", &path, &body);
    assert_eq!((status, value), (StatusCode::ACCEPTED, json!({ "request-id": TRIGGER })));
    let polled = || job.get(&format!("{path}/{TRIGGER}"));
    let advance = |checkpoint: CheckpointReport| {
        let mut says = job.report_source.0.lock();
        says.reported_at_ms = checkpoint.began_at_ms + 1_000;
        says.recent_checkpoints.insert(0, checkpoint);
    };
    let under_way = json!({ "status": { "id": "IN_PROGRESS" }, "operation": null });
    assert_eq!(polled(), under_way, "older ones do not count");
    advance(checkpoint_report(0, 10, NOW + 18_000));
    assert_eq!(polled(), under_way, "partition 1 is missing");
    advance(checkpoint_report(1, 10, NOW + 19_000));
    let round = NOW / CHECKPOINT_INTERVAL_MS * CHECKPOINT_INTERVAL_MS;
    assert_eq!(polled(), json!({ "status": { "id": "COMPLETED" }, "operation": { "checkpointId": round } }));
    job.get(&format!("{path}/details/{round}"));
}

#[test]
fn a_checkpoint_that_fails_says_why() {
    let job = TestJob::with_reports(reports::own_report(), &[]);
    let path = format!("/jobs/{}/checkpoints", job.id());
    let (_, _, value) = job.request("POST", &path, "");
    let trigger = value["request-id"].as_str().expect("an id").to_owned();
    let failed = CheckpointReport {
        status: CheckpointStatus::Failed,
        failure: Some("the store is full".to_owned()),
        ..checkpoint_report(0, 10, NOW + 18_000)
    };
    job.report_source.0.lock().recent_checkpoints.insert(0, failed);
    let polled = job.get(&format!("{path}/{trigger}"));
    let why = polled["operation"]["failureCause"]["stack-trace"].as_str().expect("a reason");
    assert!(why.contains("partition 0: the store is full"), "{polled}");
}

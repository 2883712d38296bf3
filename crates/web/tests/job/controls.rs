//! Savepoints and stops over HTTP. End-to-end tests show that a savepoint is complete and that a job starts from it.

use std::time::{Duration, Instant};

use windrow_web::{AfterSavepoint, HttpSavepointRequest, SavepointRefusal, SavepointState};

use crate::support::{TestServer, eventually, instance_report};

#[test]
fn a_savepoint_that_cannot_be_taken_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = format!("file:{}", folder.path().display());
    let site = TestServer::with(&place, instance_report("00000000000000aa", &[0]), None);
    let answer = site.post("/api/savepoints", &["Content-Type: application/json"], "{\"to\": null}");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let begun: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let request = begun["request"].as_str().expect("a name");
    assert_eq!(request.len(), 32);
    let outcome = eventually("the end", || {
        let said = site.json(&format!("/api/savepoints/{request}"));
        (said["status"] != "in_progress").then_some(said)
    });
    assert_eq!(outcome["status"], "failed");
    assert!(outcome["failure"].as_str().expect("a reason").contains("there is no checkpoint"), "{outcome}");
    assert_eq!(site.get("/api/savepoints/unknown").status, 404);
    assert!(!site.context.stop_signal.is_requested());
}

#[test]
fn asked_again_by_the_same_name_nothing_new_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = format!("file:{}", folder.path().display());
    let site = TestServer::with(&place, instance_report("00000000000000aa", &[0]), None);
    let ask = |name: &str| {
        let request_name = Some(name.to_owned());
        let afterwards = AfterSavepoint::StopJob;
        site.context.begin_savepoint(HttpSavepointRequest {
            request_name,
            after_completion: afterwards,
            ..HttpSavepointRequest::default()
        })
    };
    assert_eq!(ask("mine").expect("begun"), "mine");
    assert_eq!(ask("mine").expect("known"), "mine");
    assert_eq!(site.context.savepoint_registry.savepoint_reports().len(), 1);
    for bad in ["", "a b", "../x", &"x".repeat(65)] {
        assert!(matches!(ask(bad), Err(SavepointRefusal::InvalidRequestName)), "{bad}");
    }
    eventually("the end", || {
        matches!(site.context.look_up_savepoint_state("mine"), Some(SavepointState::Failed { .. })).then_some(())
    });
    assert!(!site.context.stop_signal.is_requested(), "without a savepoint the job keeps running");
    let began = Instant::now();
    site.context.savepoint_registry.wait_until_outcome_fetched();
    assert!(
        began.elapsed() < windrow_web::controls::OUTCOME_FETCH_TIMEOUT,
        "there is no stop whose outcome could be fetched"
    );
}

#[test]
fn only_so_many_are_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let site =
        TestServer::with(&format!("file:{}", folder.path().display()), instance_report("00000000000000aa", &[0]), None);
    for n in 0..80 {
        let order = || HttpSavepointRequest { request_name: Some(format!("n{n}")), ..HttpSavepointRequest::default() };
        eventually("room", || site.context.begin_savepoint(order()).ok());
    }
    assert_eq!(
        site.context.savepoint_registry.savepoint_reports().len(),
        windrow_web::controls::MAX_REMEMBERED_REQUESTS
    );
    assert_eq!(site.context.look_up_savepoint_state("n0"), None);
}

/// Otherwise all owners would retry, and block every other savepoint, until the timeout.
#[test]
fn a_place_that_takes_nothing_is_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = TestServer::with_rows_and_overrides(
        &format!("file:{}", folder.path().display()),
        instance_report("00000000000000aa", &[0]),
        None,
        Vec::new(),
        &["checkpoint.savepoints=[\"file:/proc/self\"]"],
    );
    let order = HttpSavepointRequest {
        target_directory: Some("/proc/self/nowhere"),
        after_completion: AfterSavepoint::StopJob,
        ..HttpSavepointRequest::default()
    };
    let request = site.context.begin_savepoint(order).expect("begun");
    let reason = eventually("the end", || match site.context.look_up_savepoint_state(&request) {
        Some(SavepointState::Failed { reason }) => Some(reason),
        _ => None,
    });
    assert!(reason.contains("is not writable"), "{reason}");
    assert!(!site.context.stop_signal.is_requested());
}

#[test]
fn state_is_sent_nowhere_else() {
    let site = TestServer::start();
    let begin = |target_directory: Option<&str>| {
        site.context.begin_savepoint(HttpSavepointRequest { target_directory, ..HttpSavepointRequest::default() })
    };
    for to in ["s3://elsewhere/a", "https://u:hunter2@evil.example/", "relative", "gs://a", "/tmp", "file:/etc/../tmp"]
    {
        let Err(refusal) = begin(Some(to)) else { panic!("{to} was taken") };
        let reason = refusal.to_string();
        assert!(reason.contains("windrow savepoint") && !reason.contains("hunter2"), "{to}: {reason}");
    }
    assert!(matches!(begin(None), Err(SavepointRefusal::NoDefaultLocation)), "there is no folder beside memory");
}

#[test]
fn a_job_stops_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = format!("file:{}", folder.path().display());
    let one = TestServer::with(&place, instance_report("00000000000000aa", &[0, 1]), None);
    let two = TestServer::with(&place, instance_report("00000000000000bb", &[2, 3]), None);
    let publishing = [&one, &two].map(|site| windrow_web::peers::ReportPublisher::start(&site.context));
    eventually("both", || (one.json("/api/overview")["instances"].as_array()?.len() == 2).then_some(()));
    one.context.begin_job_stop();
    eventually("the end of this one", || one.context.stop_signal.is_requested().then_some(()));
    eventually("the end of the other", || two.context.stop_signal.is_requested().then_some(()));
    for one in publishing {
        one.stop_and_delete_own_objects(Duration::from_secs(5));
    }
    let left: Vec<_> = std::fs::read_dir(folder.path().join("instances")).expect("it was there").collect();
    assert!(left.is_empty(), "{left:?}");
}

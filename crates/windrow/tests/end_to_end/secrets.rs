//! The password of Redis from outside of the pipeline file: the job logs in, and no output contains the password.

use std::fs;
use std::path::Path;

use windrow_test_support::{free_port, wait_until};

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::{TestJob, shipped_pipeline};
use crate::web::send_request;

const PASSWORD: &str = "hunter2@secret";
/// The parts of every spelling of the password: as it is, and percent-encoded in a URL.
const SPELLINGS: [&str; 2] = ["hunter2", "@secret"];
/// The paths of a job's pages, their JSON, Flink's REST API and the metrics.
const PATHS: [&str; 22] = [
    "/",
    "/pipeline",
    "/problems",
    "/api/overview",
    "/api/partitions",
    "/api/checkpoints",
    "/api/features?user=111",
    "/api/rows",
    "/api/problems",
    "/api/pipeline",
    "/api/instances",
    "/config",
    "/overview",
    "/jobs",
    "/jobs/overview",
    "/jobmanager/config",
    "/jobmanager/environment",
    "/taskmanagers",
    "/metrics",
    "/healthz",
    "/readyz",
    "/no/such/page",
];

fn assert_without_secret(what: &str, text: &str) {
    for spelling in SPELLINGS {
        assert!(!text.contains(spelling), "{what} contains the password:\n{text}");
    }
}

/// Returns a job whose pipeline file takes the login from outside, in the way of `sink`.
fn create_job(kafka: &TestKafka, topic: &str, folder: &Path, sink: &str) -> TestJob {
    let shipped = fs::read_to_string(shipped_pipeline()).expect("the shipped pipeline");
    let file = folder.join("pipeline.toml");
    fs::write(&file, shipped.replace("url = \"redis://localhost:6379\"", sink)).expect("a pipeline file");
    TestJob::with_redis_of_pipeline(file, &kafka.brokers, topic)
}

#[test]
fn the_password_of_redis_is_in_no_output() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let mut admin = redis.connect();
    redis::cmd("CONFIG").arg(&["SET", "requirepass", PASSWORD]).exec(&mut admin).expect("a password");
    let topic = kafka.create_unique_topic(1, &[]);
    let payload = r#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"111","price":1}"#;
    let record =
        OutgoingRecord { key: Some(b"111".to_vec()), payload: Some(payload.into()), ..OutgoingRecord::default() };
    kafka.produce(&topic, &[record]);
    let folder = tempfile::tempdir().expect("a folder");
    let password_file = folder.path().join("password");
    fs::write(&password_file, format!("{PASSWORD}\n")).expect("a file");
    let address = redis.url();
    let server = address.trim_start_matches("redis://");
    for sink in [
        format!("url = \"redis://:${{REDIS_PASSWORD_IN_URL}}@{server}\""),
        "url = \"${REDIS_URL}\"".to_owned(),
        format!("url = \"{address}\"\npassword = \"${{REDIS_PASSWORD}}\""),
        format!("url = \"{address}\"\nuser = \"default\"\npassword = {{ file = {password_file:?} }}"),
    ] {
        let mut run = create_job(&kafka, &topic, folder.path(), &sink);
        run.set_environment("REDIS_PASSWORD", PASSWORD);
        run.set_environment("REDIS_PASSWORD_IN_URL", "hunter2%40secret");
        run.set_environment("REDIS_URL", &format!("redis://:hunter2%40secret@{server}"));
        run.set_environment("RUST_LOG", "trace");
        let log = folder.path().join("log");
        let port = free_port();
        let running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], &log);
        wait_until("the job has logged in", || {
            send_request(port, "GET", "/readyz", "").is_some_and(|(status, _)| status == 200)
        });
        for path in PATHS {
            let (_, body) = send_request(port, "GET", path, "").expect("an answer");
            assert_without_secret(path, &body);
        }
        let (_, page) = send_request(port, "GET", "/api/pipeline", "").expect("an answer");
        assert!(page.contains("feature_view.user_features"), "the file is shown:\n{page}");
        running.stop(&log);
        assert_without_secret("the log", &fs::read_to_string(&log).expect("a log"));
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["check", "--set", "sink.redis.url=redis://:hunter2@other:x"],
            &["check", "--json", "--set", "event.key=5"],
        ] {
            let output = run.pipeline_command(&arguments[..1], &arguments[1..]).output().expect("windrow runs");
            assert_without_secret("standard output", &String::from_utf8_lossy(&output.stdout));
            assert_without_secret("standard error", &String::from_utf8_lossy(&output.stderr));
        }
    }
    // Redis refuses another password, and the message does not contain it.
    let sink = format!("url = \"{address}\"\npassword = \"${{REDIS_PASSWORD}}\"");
    let mut run = create_job(&kafka, &topic, folder.path(), &sink);
    run.set_environment("REDIS_PASSWORD", "hunter2@secret-wrong");
    run.set_environment("RUST_LOG", "trace");
    let output = run.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{log}");
    assert_without_secret("the log", &log);

    // Without the variable, the mistake has its place.
    let output = create_job(&kafka, &topic, folder.path(), &sink).run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    assert!(log.contains("the environment variable `REDIS_PASSWORD` is not set"), "{log}");
    assert!(log.contains("pipeline.toml:31:13"), "{log}");
}

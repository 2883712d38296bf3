//! Exit codes that need no server: one test each, with its message.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use tempfile::TempDir;

use crate::windrow::{FinishedCommand, run, run_with_input, windrow_command};

const EVENT: &str =
    "{\"event_time\":\"2024-01-01T10:00:00\",\"event_type\":\"view\",\"user_id\":\"a\",\"price\":1.5}\n";

fn replay(args: &[&str]) -> FinishedCommand {
    run_with_input(["replay"].iter().chain(args), EVENT)
}

/// Returns a local address without a listener.
fn closed_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

#[test]
fn success_is_0() {
    replay(&["--input", "-", "--output", "-"]).expect(0);
}

#[test]
fn a_wrong_command_line_is_2() {
    for (args, said) in [
        (vec![], "Usage: windrow"),
        (vec!["runn"], "unrecognized subcommand 'runn'"),
        (vec!["run", "--worker", "2"], "unexpected argument '--worker'"),
        (vec!["run", "--workers", "0"], "0 is not in 1..=1024"),
        (vec!["run", "--start-timeout", "soon"], "`soon` is not a duration; write for example 500ms"),
        (vec!["run", "--start-timeout=-1s"], "`-1s` is not a duration"),
        (vec!["replay", "--input", "-"], "--output <FILE>"),
        (vec!["check", "--set", "watermark"], "path.to.field=value"),
        (vec!["features"], "<USER>"),
    ] {
        let refused = run(&args).expect(2).expect_stderr(&[said]);
        assert_eq!(refused.text(), "", "{args:?}");
    }
}

#[test]
fn a_pipeline_file_that_cannot_be_used_is_3() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().to_string_lossy();
    let files: [(&str, &[u8]); 4] = [
        ("latin1.toml", b"name = \"p\"\n# \xe9\n"),
        ("utf16.toml", b"\xff\xfen\0a\0m\0e\0"),
        ("binary.toml", b"\x7fELF\x02\x01\x01\0\0\0"),
        ("unreadable/pipeline.toml", b""),
    ];
    fs::write(folder.path().join("unreadable"), "a file where a directory should be").expect("a file");
    for (name, bytes) in &files[..3] {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let names = files.iter().map(|(name, _)| *name).chain(["missing.toml", ""]);
    let said: String =
        names.map(|name| run(["check", &folder.path().join(name).to_string_lossy()]).expect(3).stderr).collect();
    insta::assert_snapshot!(said.replace(&*place, "FOLDER"));
}

#[test]
fn an_input_that_cannot_be_read_is_4() {
    replay(&["--input", "no/such/events.jsonl", "--output", "-"])
        .expect(4)
        .expect_stderr(&["error: cannot open no/such/events.jsonl: No such file or directory"]);
    replay(&["--input", "pipelines", "--output", "-"]).expect(4).expect_stderr(&["error: pipelines is a directory"]);
}

#[test]
fn an_input_that_cannot_be_read_costs_no_output_file() {
    let folder = TempDir::new().expect("a folder");
    let kept = folder.path().join("rows.jsonl");
    fs::write(&kept, "precious").expect("a file");
    replay(&["--input", "no/such/events.jsonl", "--output", &kept.to_string_lossy()]).expect(4);
    assert_eq!(fs::read_to_string(&kept).expect("it is there"), "precious");
}

#[test]
fn an_output_that_cannot_be_written_is_5() {
    let full = "error: cannot write /dev/full: No space left on device";
    replay(&["--input", "-", "--output", "/dev/full"]).expect(5).expect_stderr(&[full]);
    replay(&["--input", "-", "--output", "no/such/rows.jsonl"])
        .expect(5)
        .expect_stderr(&["error: cannot write no/such/rows.jsonl: No such file or directory"]);
    run(["generate", "--count", "1", "--to", "/dev/full"]).expect(5).expect_stderr(&[full]);
    run(["generate", "--count", "1", "--to", "no/such/events.jsonl"])
        .expect(5)
        .expect_stderr(&["error: cannot write no/such/events.jsonl: No such file or directory"]);
}

#[test]
fn a_plan_that_cannot_be_written_is_5() {
    for args in [vec!["check"], vec!["check", "--json"]] {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = windrow_command(&args).stdout(full).output().expect("windrow starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(5) && said.contains("No space left on device"), "{args:?}: {said}");
    }
}

/// A mistyped path must not overwrite the input.
#[test]
fn an_input_is_never_written_over() {
    let folder = TempDir::new().expect("a folder");
    let events = folder.path().join("events.jsonl");
    let also = folder.path().join("also.jsonl");
    fs::write(&events, EVENT).expect("a file");
    fs::hard_link(&events, &also).expect("a second name");
    let (events, also) = (&events.to_string_lossy(), &also.to_string_lossy());
    for args in [["--input", events, "--output", events], ["--input", events, "--output", also]] {
        let refused = run(["replay"].iter().chain(&args));
        assert_eq!(fs::read_to_string(&**events).expect("it is there"), EVENT, "{args:?}");
        assert_ne!(refused.code, Some(0), "{args:?}");
    }
    let refused = run(["replay", "--input", events, "--output", "-", "--dead-letters", events]);
    assert_eq!(fs::read_to_string(&**events).expect("it is there"), EVENT, "--dead-letters");
    assert_ne!(refused.code, Some(0), "--dead-letters");
}

#[test]
fn dead_letters_that_cannot_be_kept_are_5() {
    replay(&["--input", "-", "--output", "-", "--dead-letters", "no/such/dead.jsonl"]).expect(5).expect_stderr(&[
        "error: cannot open the file for dead letters, no/such/dead.jsonl: No such file or directory",
    ]);
    run_with_input(["replay", "--input", "-", "--output", "-", "--dead-letters", "/dev/full"], "no event")
        .expect(5)
        .expect_stderr(&["error: cannot write the file for dead letters, /dev/full: No space left on device"]);
}

#[test]
fn kafka_that_is_not_there_is_6() {
    let brokers = format!("source.kafka.brokers={}", closed_address());
    run(["run", "--start-timeout", "1s", "--set", &brokers]).expect(6).expect_stderr(&[
        "waiting for Kafka",
        "did not answer within 1.",
        "that `source.kafka.brokers` is correct",
    ]);
}

#[test]
fn redis_that_is_not_there_is_6() {
    let address = closed_address();
    let url = format!("sink.redis.url=redis://{address}");
    run(["features", "111", "--set", &url]).expect(6).expect_stderr(&["error: ", &address, "sink.redis.url"]);
}

#[test]
fn a_job_that_does_not_answer_its_health_check_is_6() {
    let address = closed_address();
    run(["health", "--address", &address]).expect(6).expect_stderr(&["error: ", &address, "cannot connect"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("its address").to_string();
    run(["health", "--address", &address, "--timeout", "50ms"])
        .expect(6)
        .expect_stderr(&["did not answer within 50 ms"]);
}

#[test]
fn an_unhealthy_job_is_19() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut head = [0; 1024];
        let length = client.read(&mut head).expect("a request");
        let body = r#"{"errors":["worker 0 has been stuck for 40 s","starting"]}"#;
        let answer = format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        client.write_all(answer.as_bytes()).expect("the client reads");
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    run(["health", "--ready", "--address", &address])
        .expect(19)
        .expect_stderr(&["unhealthy: worker 0 has been stuck for 40 s; starting"]);
    assert!(server.join().expect("the server ends").starts_with("GET /readyz HTTP/1.1\r\n"));
}

//! `windrow savepoint` without a running job. `../end_to_end` tests it with one.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use windrow_test_support::HANG_TIMEOUT;

use crate::state::StateCopy;
use crate::windrow::{run, windrow_command};

const PIPELINE: &str = "crates/windrow/tests/fixtures/state-v1/pipeline.toml";
const REQUEST: &str = "every-aggregate/kept/savepoint/request";

fn start_savepoint(copy: &StateCopy, timeout: &str) -> Child {
    let mut command = windrow_command(["savepoint", PIPELINE, "--set", &copy.store_setting(), "--timeout", timeout]);
    let asking = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("windrow starts");
    let until = Instant::now() + HANG_TIMEOUT;
    while !copy.path_of(REQUEST).exists() {
        assert!(Instant::now() < until, "no request");
        std::thread::sleep(Duration::from_millis(20));
    }
    asking
}

#[test]
fn a_pipeline_that_does_not_run_is_6() {
    let copy = StateCopy::create();
    let asked =
        run(["savepoint", PIPELINE, "--set", &copy.store_setting(), "--timeout", "1s"]).expect(6).expect_stderr(&[
            "the time limit was reached, and of 2 partitions these are not saved: 0, 1",
            "Check that the pipeline runs",
        ]);
    assert_eq!(asked.text(), "");
    assert!(!copy.path_of(REQUEST).exists(), "the request was taken back");
}

#[test]
fn a_pipeline_that_never_ran_is_13() {
    let copy = StateCopy::create();
    run(["savepoint", "--set", &copy.store_setting()]).expect(13).expect_stderr(&["there is no checkpoint in file:/"]);
}

#[test]
fn one_savepoint_is_taken_at_a_time() {
    let copy = StateCopy::create();
    let mut first = start_savepoint(&copy, "20s");
    let second = run(["savepoint", PIPELINE, "--set", &copy.store_setting()]);
    second.expect(6).expect_stderr(&["another savepoint, 20", ", is being taken", "its request expires at 20"]);
    first.kill().expect("killed");
    first.wait().expect("it ends");
    assert!(copy.path_of(REQUEST).exists(), "it was killed, so its request stands");
}

/// An expired request does not block a new one.
#[test]
fn a_request_whose_time_is_over_gives_way() {
    let copy = StateCopy::create();
    let mut first = start_savepoint(&copy, "2s");
    first.kill().expect("killed");
    first.wait().expect("it ends");
    std::thread::sleep(Duration::from_secs(2));
    run(["savepoint", PIPELINE, "--set", &copy.store_setting(), "--timeout", "1s"])
        .expect(6)
        .expect_stderr(&["the time limit was reached"]);
}

#[test]
fn ctrl_c_takes_the_request_back_and_is_9() {
    let copy = StateCopy::create();
    let asking = start_savepoint(&copy, "60s");
    let pid = i32::try_from(asking.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::INT).expect("signalled");
    let output = asking.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert!(stderr.contains("stopped while waiting"), "{stderr}");
    assert!(!copy.path_of(REQUEST).exists(), "the request was taken back");
}

#[test]
fn a_place_that_is_none_is_17() {
    let copy = StateCopy::create();
    for (to, stderr) in
        [("", "is empty"), ("hdfs://host", "are not supported"), ("memory:", "nothing may follow memory:")]
    {
        run(["savepoint", PIPELINE, "--set", &copy.store_setting(), "--to", to]).expect(17).expect_stderr(&[stderr]);
    }
}

//! `windrow replay` in a pipeline of programs: closed output, open input, and signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use windrow_test_support::HANG_TIMEOUT;

use crate::windrow::{run, windrow_command};

/// `windrow ARGS…` with all three pipes connected to the test, which kills it at its end.
struct RunningReplay(Child);

impl RunningReplay {
    fn start(args: &[&str]) -> Self {
        let mut command = windrow_command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("windrow starts"))
    }

    fn send_signal(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("it is there");
    }

    /// Returns the exit status and standard error, or `None` when the command does not end in time.
    fn wait_for_end(&mut self) -> Option<(ExitStatus, String)> {
        let start = Instant::now();
        while start.elapsed() < HANG_TIMEOUT {
            if let Some(status) = self.0.try_wait().expect("its state") {
                let mut stderr = String::new();
                self.0.stderr.take().expect("standard error").read_to_string(&mut stderr).expect("text");
                return Some((status, stderr));
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for RunningReplay {
    fn drop(&mut self) {
        // The command may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn many_events() -> Vec<u8> {
    run(["generate", "--to", "-", "--count", "50000", "--backlog", "6h", "--users", "500"]).expect(0).stdout
}

/// This is `windrow replay … --output - | head -1`.
#[test]
fn a_reader_that_leaves_ends_replay_with_a_sentence() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let input = folder.path().join("events.jsonl");
    std::fs::write(&input, many_events()).expect("the events");
    let mut replay = RunningReplay::start(&["replay", "--input", &input.to_string_lossy(), "--output", "-"]);
    let mut reader = BufReader::new(replay.0.stdout.take().expect("standard output"));
    let mut row = String::new();
    reader.read_line(&mut row).expect("a row");
    assert!(row.starts_with("{\"feature_view\":"), "{row}");
    drop(reader);
    let (status, stderr) = replay.wait_for_end().expect("it ends");
    assert_eq!(status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("cannot write standard output: Broken pipe") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_reader_that_leaves_ends_generate_with_a_sentence() {
    let mut generate = RunningReplay::start(&["generate", "--to", "-", "--count", "100000000"]);
    drop(generate.0.stdout.take());
    let (status, stderr) = generate.wait_for_end().expect("it ends");
    assert_eq!(status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("cannot write standard output: Broken pipe") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_signal_ends_replay_while_events_keep_coming() {
    let events = many_events();
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::TempDir::new().expect("a folder");
        let output = folder.path().join("rows.jsonl");
        let mut replay = RunningReplay::start(&["replay", "--input", "-", "--output", &output.to_string_lossy()]);
        let mut input = replay.0.stdin.take().expect("standard input");
        input.write_all(&events).expect("it reads");
        replay.send_signal(signal);
        // Writes until the reading end is closed.
        let feeding = thread::spawn(move || while input.write_all(b"no event\n").is_ok() {});
        let (status, stderr) = replay.wait_for_end().expect("it ends although there is more to read");
        feeding.join().expect("the writer ends");
        assert_eq!(status.code(), Some(9), "{stderr}");
        assert!(stderr.contains("stopped before the end of the input"), "{stderr}");
        let rows = std::fs::read_to_string(output).expect("the rows");
        assert!(
            rows.ends_with("}\n") && rows.lines().count() > 100,
            "what had fired by then is written, as whole lines"
        );
    }
}

#[test]
fn a_signal_ends_replay_while_it_waits_for_events() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut replay = RunningReplay::start(&["replay", "--input", "-", "--output", "/dev/null"]);
        let mut input = replay.0.stdin.take().expect("standard input");
        input.write_all(include_bytes!("../../conformance/late.events.jsonl")).expect("it reads");
        thread::sleep(Duration::from_millis(300)); // by then it has read everything and waits
        replay.send_signal(signal);
        let (status, stderr) = replay.wait_for_end().expect("it ends although its input is still open");
        assert_eq!(status.code(), Some(9), "{stderr}");
        assert!(stderr.contains("stopped before the end of the input"), "{stderr}");
        drop(input);
    }
}

#[test]
fn a_second_signal_ends_replay_at_once() {
    let mut replay = RunningReplay::start(&["replay", "--input", "-", "--output", "/dev/null"]);
    let input = replay.0.stdin.take().expect("standard input");
    thread::sleep(Duration::from_millis(300)); // by then it has started and waits
    for _ in 0..2 {
        // The first signal may have ended it already.
        if replay.0.try_wait().expect("its state").is_none() {
            replay.send_signal(Signal::INT);
        }
        thread::sleep(Duration::from_millis(500)); // two signals within 300 ms count as one
    }
    let (status, stderr) = replay.wait_for_end().expect("it ends although its input is still open");
    assert!(status.code() == Some(9) || status.signal() == Some(Signal::INT.as_raw()), "{status}: {stderr}");
    drop(input);
}

/// A row is written when its window closes, not when the input ends.
#[test]
fn rows_appear_while_the_input_stays_open() {
    let mut replay = RunningReplay::start(&["replay", "--input", "-", "--output", "-"]);
    let mut input = replay.0.stdin.take().expect("standard input");
    input.write_all(include_bytes!("../../conformance/late.events.jsonl")).expect("it reads");
    let mut rows = BufReader::new(replay.0.stdout.take().expect("standard output"));
    let mut first = String::new();
    rows.read_line(&mut first).expect("a row");
    assert!(first.starts_with("{\"feature_view\":"), "{first}");
    drop(input);
}

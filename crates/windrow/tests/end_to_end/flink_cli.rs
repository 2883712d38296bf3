//! Flink's command line against a running job.

use std::path::{Path, PathBuf};
use std::process::Command;
use windrow_test_support::wait_until;

use crate::support::kafka::{TestKafka, kafka_or_skip, key_events_by_user};
use crate::support::redis::Redis;
use crate::support::windrow::{TestJob, run_generate};

const PARTITIONS: i32 = 2;
/// Path of `dev/flink.sh`, which downloads the jars.
struct FlinkCommandLine(PathBuf);

impl FlinkCommandLine {
    fn find_or_skip() -> Option<Self> {
        let found = std::env::var_os("WINDROW_TEST_FLINK");
        if found.is_none() {
            println!("skipped: this test needs Flink's command line (WINDROW_TEST_FLINK=…/dev/flink.sh)");
        }
        found.map(|path| Self(path.into()))
    }

    /// Runs a command, asserts that it succeeds, and returns its output.
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.0).args(["run", "--"]).args(arguments).output().expect("it runs");
        let output_text = [output.stdout, output.stderr]
            .map(|output_text| String::from_utf8_lossy(&output_text).into_owned())
            .concat();
        assert!(output.status.success(), "{arguments:?}\n{output_text}");
        output_text
    }
}

/// Waits for the address of the job's pages in its log.
fn await_page_address(log: &Path) -> String {
    let found = || {
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let at = log.split_once("the job's pages are at http://")?.1;
        Some(at.split_whitespace().next()?.to_owned())
    };
    wait_until("the job serves its pages", || found().is_some());
    found().expect("just seen")
}

fn total_committed(kafka: &TestKafka, run: &TestJob, topic: &str) -> i64 {
    kafka.committed_offsets(&run.group, topic, PARTITIONS).iter().filter(|offset| **offset > 0).sum()
}

/// Returns the folder in a line such as `Savepoint completed. Path: file:/…`.
fn savepoint_folder(output_text: &str) -> PathBuf {
    let path = output_text.split_once("Path: ").unwrap_or_else(|| panic!("no path: {output_text}")).1;
    PathBuf::from(path.split_whitespace().next().and_then(|path| path.strip_prefix("file:")).expect("a folder"))
}

#[test]
fn flinks_command_line_lists_saves_stops_and_cancels() {
    let kafka = kafka_or_skip!();
    let Some(flink) = FlinkCommandLine::find_or_skip() else { return };
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let send = |seed: &str| {
        let events = run_generate(&["--count", "3000", "--users", "50", "--backlog", "4h", "--seed", seed]);
        let events: Vec<String> = events.into_iter().map(|line| String::from_utf8(line).expect("text")).collect();
        kafka.produce(&topic, &key_events_by_user(&events, None));
        i64::try_from(events.len()).expect("small")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let saved = folder.path().join("saved");
    let to = saved.display().to_string();
    run.set_override(&format!("checkpoint.savepoints=[\"file:{to}\"]"));

    let log = folder.path().join("first");
    let mut running = run.start(&["--workers", "1", "--listen", "127.0.0.1:0"], &log);
    let mut all = send("1");
    let server = await_page_address(&log);
    wait_until("everything is committed", || total_committed(&kafka, &run, &topic) == all);

    let listed = flink.run(&["list", "-m", &server]);
    let line =
        listed.lines().find(|line| line.contains(" : ecommerce (RUNNING)")).unwrap_or_else(|| panic!("{listed}"));
    let job = line.split(" : ").nth(1).expect("an id").to_owned();

    let taken = savepoint_folder(&flink.run(&["savepoint", "-m", &server, &job, &to]));
    assert!(taken.starts_with(&saved) && taken.is_dir(), "{}", taken.display());
    // Without a target the savepoint is beside the checkpoints.
    assert!(savepoint_folder(&flink.run(&["savepoint", "-m", &server, &job])).starts_with(run.state.path()));

    let stopped = savepoint_folder(&flink.run(&["stop", "-m", &server, "-p", &to, &job]));
    assert_eq!(running.wait_for_exit(), Some(0), "{}", std::fs::read_to_string(&log).unwrap_or_default());
    assert_ne!(stopped, taken);

    // Another job with an empty Redis resumes where this one stopped, and does not read events before the savepoint again.
    all += send("2");
    let empty = Redis::start();
    let other = TestJob::new(&kafka.brokers, &empty.url(), &topic);
    let log = folder.path().join("second");
    let from = stopped.display().to_string();
    let mut begun = other.start(&["--workers", "1", "--listen", "127.0.0.1:0", "--from", &from], &log);
    let server = await_page_address(&log);
    wait_until("everything is committed again", || total_committed(&kafka, &other, &topic) == all);

    let listed = flink.run(&["list", "-r", "-m", &server]);
    assert!(!listed.contains(&job) && listed.contains(" : ecommerce (RUNNING)"), "a job of its own: {listed}");
    let line = listed.lines().find(|line| line.contains(" : ecommerce (RUNNING)")).expect("just seen");
    flink.run(&["cancel", "-m", &server, line.split(" : ").nth(1).expect("an id")]);
    assert_eq!(begun.wait_for_exit(), Some(0), "{}", std::fs::read_to_string(&log).unwrap_or_default());
    let ended = std::fs::read_to_string(&log).expect("a log");
    assert!(ended.contains("all workers ended records=\"3,000\""), "as many as the second batch has: {ended}");
    let log = other.run_bounded(&[]);
    assert!(log.contains("all workers ended records=\"0\""), "it was stopped cleanly: {log}");
    assert!(!empty.read_rows().is_empty(), "rows were written behind the savepoint");
}

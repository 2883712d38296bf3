//! Partitions move between processes under load: one process is killed, one is paused beyond its session timeout, one joins
//! late, and one leaves. Each event counts once, and no reader sees a row go back.

use std::path::{Path, PathBuf};
use std::time::Duration;
use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::traffic::{EventFeeder, SeededRandom, generate_events, read_or_create_seed, row_keys};
use crate::support::watcher::RowWatcher;
use crate::support::windrow::{RunningJob, TestJob, telling_pipeline};
use crate::topic::read_log;

const PARTITIONS: i32 = 8;
/// How long one process is paused: longer than the session timeout.
const PAUSE_DURATION: Duration = Duration::from_secs(10);
/// Log lines of a process that lost its partitions while paused.
const ZOMBIE_LOG_LINES: [&str; 2] = ["another worker has claimed this partition", "were lost to another member"];

/// Processes of one job, each with its log.
struct JobProcesses<'a> {
    run: &'a TestJob,
    folder: tempfile::TempDir,
}

impl JobProcesses<'_> {
    fn start(&self, name: &str) -> (RunningJob, PathBuf) {
        let log = self.folder.path().join(name);
        let running = self.run.start(&["--workers", "1"], &log);
        (running, log)
    }

    fn await_partitions(&self, log: &Path) {
        wait_until("it has a share", || count_openings(log, " partition=") > 0);
    }
}

/// Counts the partitions that a process opened.
fn count_openings(log: &Path, what: &str) -> usize {
    read_log(log).lines().filter(|line| line.contains(what) && line.contains("epoch=")).count()
}

fn move_partitions_under_load(kafka: &TestKafka, protocol: &str, seed: u64) {
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override(protocol);
    let mut dice = SeededRandom::new(seed);
    let processes = JobProcesses { run: &run, folder: tempfile::tempdir().expect("a folder") };
    let moment = |dice: &mut SeededRandom| std::thread::sleep(Duration::from_millis(dice.between(300, 1_500)));

    let events = generate_events(60_000, seed);
    let watcher = RowWatcher::start(&redis, row_keys("user_features", &events).into_iter().take(120));
    let load = EventFeeder::start(kafka, &topic, events, Duration::from_secs(25));
    let ((killed, killed_log), (zombie, zombie_log), (leaving, leaving_log)) =
        (processes.start("killed"), processes.start("zombie"), processes.start("leaving"));
    [&killed_log, &zombie_log, &leaving_log].into_iter().for_each(|log| processes.await_partitions(log));

    moment(&mut dice);
    zombie.send_signal("-STOP");
    moment(&mut dice);
    killed.kill();
    let (newcomer, newcomer_log) = processes.start("newcomer");
    std::thread::sleep(PAUSE_DURATION);
    processes.await_partitions(&newcomer_log);
    let before = read_log(&zombie_log).len();
    zombie.send_signal("-CONT");
    wait_until("the zombie says so", || {
        ZOMBIE_LOG_LINES.iter().any(|what| read_log(&zombie_log)[before..].contains(what))
    });
    wait_until("the zombie works on", || read_log(&zombie_log)[before..].contains("restored"));
    moment(&mut dice);
    leaving.stop(&leaving_log);

    load.finish_at_once();
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = replay_expected_rows(kafka, &topic, PARTITIONS, &telling_pipeline());
    await_same_rows(&expected.contents, &redis, protocol);
    zombie.stop(&zombie_log);
    newcomer.stop(&newcomer_log);
    await_same_rows(&expected.contents, &redis, "after all processes stopped");
    let rows = watcher.assert_rows_never_went_back(&expected);
    assert!(rows > 1_000, "the reader saw next to nothing");
    for log in [&killed_log, &zombie_log, &leaving_log, &newcomer_log] {
        let log_text = read_log(log);
        let notes = log_text.lines().filter(|line| {
            ["ERROR", "WARN", "error:", "panicked"].iter().any(|what| line.contains(what))
                && !line.contains("dead letter")
        });
        println!("{}:", log.file_name().unwrap_or_default().display());
        notes.for_each(|line| println!("  {line}"));
    }
    assert!(
        count_openings(&newcomer_log, "restored") > 0,
        "nothing moved to the newcomer:\n{}",
        read_log(&newcomer_log)
    );
}

#[test]
fn partitions_move_between_processes_in_the_classic_protocol() {
    let kafka = kafka_or_skip!();
    move_partitions_under_load(&kafka, "source.kafka.session_timeout=\"6s\"", read_or_create_seed());
}

/// With this protocol the broker decides how long a member may be silent.
#[test]
fn partitions_move_between_processes_in_the_consumer_protocol() {
    let kafka = kafka_or_skip!();
    move_partitions_under_load(&kafka, "source.kafka.group_protocol=consumer", read_or_create_seed());
}

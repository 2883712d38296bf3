//! Partitions that move between processes under load: one is killed, one stands still past its session timeout and wakes,
//! one comes later, one leaves. Each event counts once, and nobody sees a row go back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::eventually;
use crate::support::expected::{closing_events, expected};
use crate::support::kafka::{Kafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same;
use crate::support::traffic::{Dice, Load, events, keys, seed};
use crate::support::watcher::Watcher;
use crate::support::windrow::{Run, Running, telling};
use crate::topic::said;

const PARTITIONS: i32 = 8;
/// One process stands still for so long: longer than the session timeout.
const STANDSTILL: Duration = Duration::from_secs(10);
/// What the zombie says of itself.
const NOTICED: [&str; 2] = ["taken this partition over while we were away", "were lost to another member"];

/// Processes of one job, each with its log.
struct Processes<'a> {
    run: &'a Run,
    folder: tempfile::TempDir,
}

impl Processes<'_> {
    fn start(&self, name: &str) -> (Running, PathBuf) {
        let log = self.folder.path().join(name);
        let running = self.run.start(&["--workers", "1"], &log);
        (running, log)
    }

    fn await_share(&self, log: &Path) {
        eventually(40, "it has a share", || times(log, " partition=") > 0);
    }
}

/// How often a process was given partitions and opened them.
fn times(log: &Path, what: &str) -> usize {
    said(log).lines().filter(|line| line.contains(what) && line.contains("epoch=")).count()
}

fn move_them(kafka: &Kafka, protocol: &str, seed: u64) {
    let redis = Redis::start();
    let topic = kafka.create_topic(PARTITIONS, &[]);
    let mut run = Run::of(telling(), &kafka.brokers, &redis.url(), &topic);
    run.set(protocol);
    let mut dice = Dice::new(seed);
    let processes = Processes { run: &run, folder: tempfile::tempdir().expect("a folder") };
    let moment = |dice: &mut Dice| std::thread::sleep(Duration::from_millis(dice.between(300, 1_500)));

    let events = events(60_000, seed);
    let watcher = Watcher::start(&redis, keys("user_features", &events).into_iter().take(40));
    let load = Load::start(kafka, &topic, events, Duration::from_secs(25));
    let ((killed, killed_log), (zombie, zombie_log), (leaving, leaving_log)) =
        (processes.start("killed"), processes.start("zombie"), processes.start("leaving"));
    [&killed_log, &zombie_log, &leaving_log].into_iter().for_each(|log| processes.await_share(log));

    moment(&mut dice);
    zombie.signal("-STOP");
    moment(&mut dice);
    killed.kill();
    let (newcomer, newcomer_log) = processes.start("newcomer");
    std::thread::sleep(STANDSTILL);
    processes.await_share(&newcomer_log);
    let before = said(&zombie_log).len();
    zombie.signal("-CONT");
    eventually(30, "the zombie says so", || NOTICED.iter().any(|what| said(&zombie_log)[before..].contains(what)));
    eventually(40, "the zombie works on", || said(&zombie_log)[before..].contains("restored"));
    moment(&mut dice);
    leaving.stop(Duration::from_secs(15), &leaving_log);

    load.finish();
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = expected(kafka, &topic, PARTITIONS, &telling());
    await_same(&expected.contents, &redis, 60, protocol);
    zombie.stop(Duration::from_secs(15), &zombie_log);
    newcomer.stop(Duration::from_secs(15), &newcomer_log);
    await_same(&expected.contents, &redis, 1, "after everybody left");
    let rows = watcher.never_saw_a_row_go_back(&expected);
    assert!(rows > 1_000, "the reader saw next to nothing");
    for log in [&killed_log, &zombie_log, &leaving_log, &newcomer_log] {
        let said = said(log);
        let notes = said.lines().filter(|line| {
            ["ERROR", "WARN", "error:", "panicked"].iter().any(|what| line.contains(what))
                && !line.contains("dead letter")
        });
        println!("{}:", log.file_name().unwrap_or_default().display());
        notes.for_each(|line| println!("  {line}"));
    }
    assert!(times(&newcomer_log, "restored") > 0, "nothing moved to the newcomer:\n{}", said(&newcomer_log));
}

#[test]
fn partitions_move_between_processes_in_the_classic_protocol() {
    let kafka = kafka_or_skip!();
    move_them(&kafka, "source.kafka.session_timeout=\"6s\"", seed());
}

/// There the broker says how long a member may stand still.
#[test]
fn partitions_move_between_processes_in_the_consumer_protocol() {
    let kafka = kafka_or_skip!();
    move_them(&kafka, "source.kafka.group_protocol=consumer", seed());
}

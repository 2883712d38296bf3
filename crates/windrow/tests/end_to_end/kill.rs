//! `kill -9` at random moments under load. In the end Redis holds the rows of an uninterrupted run, and no reader saw a row
//! go back.

use std::path::Path;
use std::time::Duration;
use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::traffic::{EventFeeder, SeededRandom, generate_events, read_or_create_seed, row_keys};
use crate::support::watcher::RowWatcher;
use crate::support::windrow::{TestJob, telling_pipeline};
use crate::topic::read_log;

pub(crate) const PARTITIONS: i32 = 4;
/// Two hours of events per kill, so that several windows of a user close between a checkpoint and a kill.
const EVENTS_PER_KILL: usize = 3_000;

/// What the process was doing when it was killed.
#[derive(Default, Debug)]
pub(crate) struct KillStatistics {
    starting: usize,
    before_reading: usize,
    working: usize,
    stopped: usize,
    restored: usize,
}

impl KillStatistics {
    fn count_log(&mut self, log: &str) {
        self.restored += log.matches("INFO partition restored from a checkpoint").count();
        if log.contains("reading partitions") {
            self.working += 1;
        } else if log.contains("running") {
            self.before_reading += 1;
        } else {
            self.starting += 1;
        }
    }
}

/// Kills `run`, which reads `topic`, `kills` times under load.
pub(crate) fn kill_repeatedly(
    kafka: &TestKafka,
    redis: &Redis,
    topic: &str,
    run: &TestJob,
    kills: usize,
    seed: u64,
) -> KillStatistics {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = SeededRandom::new(seed);
    let events = generate_events(kills * EVENTS_PER_KILL, seed);
    let watcher = RowWatcher::start(redis, row_keys("user_features", &events).into_iter().take(40));
    let mut hit = KillStatistics::default();
    let time = Duration::from_millis(1_500) * u32::try_from(kills).expect("small");
    let load = EventFeeder::start(kafka, topic, events, time);
    // A named member gets its partitions back at once, without waiting for the session timeout of the killed one.
    let arguments = ["--workers", "2", "--instance", "one"];
    for kill in 0..kills {
        let log = folder.path().join(kill.to_string());
        // Rare checkpoints mean much repeated work, in which a row that goes back would be seen.
        let every = if dice.between(0, 2) == 0 { "checkpoint.every=250ms" } else { "checkpoint.every=2s" };
        let running = run.start(&[&arguments[..], &["--set", every]].concat(), &log);
        // In turn: some time after it reads records, which takes seconds with a slow store; early, while it starts or
        // restores; soon after every partition has a checkpoint, which the next process then restores.
        let is_reading = || read_log(&log).contains("reading partitions");
        let has_checkpoints =
            || kafka.committed_offsets(&run.group, topic, PARTITIONS).iter().all(|&offset| offset > 0);
        let after = match kill % 3 {
            0 => {
                wait_until("it reads records", is_reading);
                dice.between(0, 2_300)
            }
            1 => dice.between(20, 700),
            _ => {
                wait_until("every partition has a checkpoint", || is_reading() && has_checkpoints());
                dice.between(0, 700)
            }
        };
        std::thread::sleep(Duration::from_millis(after));
        // Sometimes stop it instead, which must work at any moment too.
        if dice.between(0, 5) == 0 {
            hit.stopped += 1;
            running.stop(&log);
        } else {
            running.kill();
        }
        hit.count_log(&read_log(&log));
        assert_no_panic(&log);
    }
    load.finish_at_once();
    kafka.produce(topic, &closing_events(PARTITIONS));
    let log = folder.path().join("last");
    let running = run.start(&arguments, &log);
    let expected = replay_expected_rows(kafka, topic, PARTITIONS, &telling_pipeline());
    await_same_rows(&expected.contents, redis, "after all kills");
    running.stop(&log);
    assert_no_panic(&log);
    await_same_rows(&expected.contents, redis, "after the stop");
    let rows = watcher.assert_rows_never_went_back(&expected);
    println!("{hit:?}");
    assert!(rows > kills * 20, "the reader saw next to nothing");
    assert!(hit.working > kills / 4 && hit.restored >= kills / 2, "the kills hit nothing: {hit:?}");
    hit
}

/// Prints warnings and errors of a log, and asserts that the process did not halt.
fn assert_no_panic(log: &Path) {
    let log_text = read_log(log);
    for line in log_text.lines().filter(|line| {
        line.contains("ERROR") || line.contains("WARN") && !line.contains("dead letter") || line.contains("panicked")
    }) {
        println!("{line}");
    }
    assert!(!log_text.lines().any(|line| line.starts_with("error: ")), "{log_text}");
}

/// `WINDROW_KILLS` makes it longer and `WINDROW_SEED` repeatable; see `bench/kill_loop.sh`.
#[test]
fn killed_at_any_moment_it_ends_like_a_run_that_was_not() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let kills = std::env::var("WINDROW_KILLS").map_or(12, |kills| kills.parse().expect("WINDROW_KILLS is a number"));
    let run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    kill_repeatedly(&kafka, &redis, &topic, &run, kills, read_or_create_seed());
}

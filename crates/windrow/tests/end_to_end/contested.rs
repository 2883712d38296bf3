//! Processes that claim partitions which are not theirs, or not any more, because they stood still or Redis did at the
//! wrong moment: whoever the group gives a partition to has it in the end.

use std::time::Duration;

use crate::support::eventually;
use crate::support::expected::{closing_events, expected};
use crate::support::kafka::kafka_or_skip;
use crate::support::redis::Redis;
use crate::support::rows::await_same;
use crate::support::traffic::{events, seed};
use crate::support::windrow::{Run, telling};
use crate::topic::said;

const PARTITIONS: i32 = 4;

/// While it gives partitions up and waits for Redis, Redis loses rows. Going back is for the partitions it keeps.
#[test]
fn a_partition_given_up_while_redis_lost_rows_is_not_taken_back() {
    let kafka = kafka_or_skip!();
    let mut redis = Redis::start();
    let topic = kafka.create_topic(PARTITIONS, &[]);
    let run = Run::of(telling(), &kafka.brokers, &redis.url(), &topic);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, newcomer_log) = (folder.path().join("log"), folder.path().join("newcomer"));
    let events = events(8_000, seed());
    let total = || kafka.committed(&run.group, &topic, PARTITIONS).iter().sum::<i64>();

    let running = run.start(&["--workers", "1"], &log);
    kafka.produce(&topic, &events[..4_000]);
    eventually(30, "it works", || total() == 4_000);
    let newcomer = run.start(&["--workers", "1"], &newcomer_log);
    eventually(30, "it is connected to Redis", || said(&newcomer_log).contains("running"));
    redis.freeze();
    kafka.produce(&topic, &events[4_000..]);
    // Its rows wait for Redis, and so does the last checkpoint.
    std::thread::sleep(Duration::from_secs(6));
    assert!(!said(&log).contains("giving partitions up"), "it did not wait:\n{}", said(&log));
    redis.restart();
    eventually(30, "the newcomer has its share", || said(&newcomer_log).contains("INFO restored partition="));
    // Afterwards, since what is wrong shows late.
    std::thread::sleep(Duration::from_secs(3));
    kafka.produce(&topic, &closing_events(PARTITIONS));
    eventually(30, "everything is committed", || total() == 8_000 + i64::from(PARTITIONS));

    let said = said(&log);
    assert!(said.contains("has lost rows that it had acknowledged"), "{said}");
    let (_, after) = said.split_once("giving partitions up").expect("it gave some up");
    let (given_up, after) = after.split_once("partitions=[").and_then(|(_, rest)| rest.split_once(']')).expect("which");
    for partition in given_up.split(", ") {
        assert!(!after.contains(&format!("restored partition={partition} ")), "{partition} was taken back:\n{said}");
    }
    assert!(!said.contains("taken this partition over"), "{said}");
    newcomer.stop(Duration::from_secs(15), &newcomer_log);
    running.stop(Duration::from_secs(15), &log);
}

/// A process falls asleep between being given its partitions and claiming them in Redis. When it wakes they are
/// another's, which it learns too late: it claims them. The other gets them back and works on.
#[test]
fn partitions_claimed_by_a_sleeper_come_back() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_topic(PARTITIONS, &[]);
    let mut run = Run::of(telling(), &kafka.brokers, &redis.url(), &topic);
    run.set("source.kafka.session_timeout=\"6s\"");
    let folder = tempfile::tempdir().expect("a folder");
    let (sleeper_log, log) = (folder.path().join("sleeper"), folder.path().join("log"));
    let events = events(8_000, seed());
    let total = || kafka.committed(&run.group, &topic, PARTITIONS).iter().sum::<i64>();

    kafka.produce(&topic, &events[..4_000]);
    let sleeper = run.start(&["--workers", "1"], &sleeper_log);
    eventually(30, "it is connected to Redis", || said(&sleeper_log).contains("running"));
    redis.freeze();
    eventually(30, "it has claimed its partitions", || {
        let claimed = |partition: i32| {
            let folder = run.state.path().join("telling").join(&run.group).join(format!("partition-{partition}/epoch"));
            folder.is_dir()
        };
        (0..PARTITIONS).all(claimed)
    });
    sleeper.signal("-STOP");
    redis.thaw();
    let running = run.start(&["--workers", "1"], &log);
    eventually(30, "the other one has it all", || total() == 4_000);

    sleeper.signal("-CONT");
    kafka.produce(&topic, &events[4_000..]);
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = expected(&kafka, &topic, PARTITIONS, &telling());
    await_same(&expected.contents, &redis, 60, "after the sleeper woke");
    sleeper.stop(Duration::from_secs(15), &sleeper_log);
    running.stop(Duration::from_secs(15), &log);
    await_same(&expected.contents, &redis, 1, "after everybody left");
}

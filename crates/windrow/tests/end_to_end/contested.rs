//! Processes that claim partitions of others, because they or Redis were paused at the wrong moment. In the end the member
//! that the group assigns a partition to owns it.

use std::time::Duration;
use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::gate::TcpGate;
use crate::support::kafka::kafka_or_skip;
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, telling_pipeline};
use crate::topic::read_log;

const PARTITIONS: i32 = 4;

/// Redis loses rows while a process waits to release partitions. It restores only the partitions that it keeps.
#[test]
fn a_partition_given_up_while_redis_lost_rows_is_not_taken_back() {
    let kafka = kafka_or_skip!();
    let mut redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    let gate = TcpGate::start(redis.port());
    run.set_override(&format!("sink.redis.url=redis://127.0.0.1:{}", gate.port()));
    let folder = tempfile::tempdir().expect("a folder");
    let (log, newcomer_log) = (folder.path().join("log"), folder.path().join("newcomer"));
    let events = generate_events(8_000, read_or_create_seed());
    let total = || kafka.committed_offsets(&run.group, &topic, PARTITIONS).iter().sum::<i64>();

    let running = run.start(&["--workers", "1"], &log);
    kafka.produce(&topic, &events[..4_000]);
    wait_until("it works", || total() == 4_000);
    gate.hold();
    kafka.produce(&topic, &events[4_000..]);
    wait_until("its rows wait for Redis", || gate.holds_data());
    // The newcomer reaches Redis without the gate.
    let newcomer_redis = format!("sink.redis.url={}", redis.url());
    let newcomer = run.start(&["--workers", "1", "--set", &newcomer_redis], &newcomer_log);
    wait_until("it is connected to Redis", || read_log(&newcomer_log).contains("running"));
    // The last checkpoint waits, too.
    std::thread::sleep(Duration::from_secs(6));
    assert!(!read_log(&log).contains("releasing partitions"), "it did not wait:\n{}", read_log(&log));
    redis.restart_empty();
    gate.release();
    wait_until("the newcomer has its share", || {
        read_log(&newcomer_log).contains("INFO partition restored from a checkpoint partition=")
    });
    // Wait, since a wrong claim shows late.
    std::thread::sleep(Duration::from_secs(3));
    kafka.produce(&topic, &closing_events(PARTITIONS));
    wait_until("everything is committed", || total() == 8_000 + i64::from(PARTITIONS));

    let log_text = read_log(&log);
    assert!(log_text.contains("has lost acknowledged rows"), "{log_text}");
    let (_, after) = log_text.split_once("releasing partitions").expect("it gave some up");
    let (given_up, after) = after.split_once("partitions=[").and_then(|(_, rest)| rest.split_once(']')).expect("which");
    for partition in given_up.split(", ") {
        assert!(
            !after.contains(&format!("restored from a checkpoint partition={partition} ")),
            "{partition} was taken back:\n{log_text}"
        );
    }
    assert!(!log_text.contains("has claimed this partition"), "{log_text}");
    newcomer.stop(&newcomer_log);
    running.stop(&log);
}

/// A process is paused between the assignment of its partitions and their claim in Redis. When it resumes, it claims them
/// although they belong to another by now. The other process claims them back and continues.
#[test]
fn partitions_claimed_by_a_sleeper_come_back() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override("source.kafka.session_timeout=\"6s\"");
    let folder = tempfile::tempdir().expect("a folder");
    let (sleeper_log, log) = (folder.path().join("sleeper"), folder.path().join("log"));
    let events = generate_events(8_000, read_or_create_seed());
    let total = || kafka.committed_offsets(&run.group, &topic, PARTITIONS).iter().sum::<i64>();

    kafka.produce(&topic, &events[..4_000]);
    let sleeper = run.start(&["--workers", "1"], &sleeper_log);
    wait_until("it is connected to Redis", || read_log(&sleeper_log).contains("running"));
    redis.pause();
    wait_until("it has claimed its partitions", || {
        let claimed = |partition: i32| {
            let folder = run.state.path().join("telling").join(&run.group).join(format!("partition-{partition}/epoch"));
            folder.is_dir()
        };
        (0..PARTITIONS).all(claimed)
    });
    sleeper.send_signal("-STOP");
    redis.resume();
    let running = run.start(&["--workers", "1"], &log);
    wait_until("the other one has it all", || total() == 4_000);

    sleeper.send_signal("-CONT");
    kafka.produce(&topic, &events[4_000..]);
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = replay_expected_rows(&kafka, &topic, PARTITIONS, &telling_pipeline());
    await_same_rows(&expected.contents, &redis, "after the sleeper woke");
    sleeper.stop(&sleeper_log);
    running.stop(&log);
    await_same_rows(&expected.contents, &redis, "after all processes stopped");
}

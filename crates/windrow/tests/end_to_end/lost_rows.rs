//! Redis loses acknowledged rows while the job runs: it is flushed, restarted without data, or fails over to a replica that
//! lags. The job detects the loss with the next row and writes all rows since its last checkpoint again. If the lost rows
//! are older than that checkpoint, it goes back to an older one. With `wait_replicas`, no checkpoint counts such rows.

use std::collections::BTreeSet;
use std::path::Path;
use windrow_test_support::{free_port, wait_until};

use crate::support::expected::{closing_events, partition_payloads};
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::{Redis, RedisPair, RowsByKey};
use crate::support::rows::{assert_same_rows, await_same_rows, last_row_per_key, parse_keyed_row};
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, run_replay, telling_pipeline};
use crate::topic::read_log;
use crate::web::send_request;

const PARTITIONS: i32 = 2;
/// The allowed disorder in `telling.toml`.
const OUT_OF_ORDERNESS_MS: i64 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RedisAccident {
    Flushed,
    RestartedWithoutData,
    /// Redis restarts with a copy of its data that was saved after the last checkpoint.
    RestartedWithOldCopy,
}

/// Returns the watermark of each partition after all its events.
fn partition_watermarks(kafka: &TestKafka, topic: &str) -> Vec<i64> {
    let latest = |partition| {
        let events = partition_payloads(kafka, topic, partition);
        let times = events.iter().filter_map(|line| {
            let event: serde_json::Value = serde_json::from_slice(line).ok()?;
            // The pipeline treats an event with another type as malformed.
            event["price"].is_number().then(|| event["at"].as_i64())?
        });
        times.max().expect("events") - OUT_OF_ORDERNESS_MS
    };
    (0..PARTITIONS).map(latest).collect()
}

/// Returns the last row per key of those that fire while each partition's watermark moves from `from` to `to`.
fn rows_fired_between(kafka: &TestKafka, topic: &str, from: Option<&[i64]>, to: Option<&[i64]>) -> RowsByKey {
    let mut contents = RowsByKey::new();
    for partition in 0..PARTITIONS {
        let at = |bounds: Option<&[i64]>, open| {
            bounds.map_or(open, |bounds| bounds[usize::try_from(partition).unwrap_or(0)])
        };
        let (from, to) = (at(from, i64::MIN), at(to, i64::MAX));
        let rows = run_replay(&telling_pipeline(), &partition_payloads(kafka, topic, partition));
        let between =
            |line: &&str| parse_keyed_row(line).is_some_and(|row| row.window_end > from && row.window_end <= to);
        contents.extend(last_row_per_key(rows.lines().filter(between)));
    }
    contents.retain(|key, _| !key.contains(":closing"));
    contents
}

fn run_accident(accident: RedisAccident, folder: &Path, seed: u64) {
    let kafka = TestKafka::with_brokers(std::env::var("WINDROW_TEST_KAFKA").expect("checked by the caller"));
    let mut redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    let events = generate_events(9_000, seed);
    let total = || kafka.committed_offsets(&run.group, &topic, PARTITIONS).iter().sum::<i64>();
    let (log, second_log) = (folder.join(format!("{accident:?}-1")), folder.join(format!("{accident:?}-2")));

    kafka.produce(&topic, &events[..3_000]);
    // A single checkpoint is kept, so the job cannot go back behind it.
    let running = run.start(&["--workers", "1", "--set", "checkpoint.keep=1"], &log);
    wait_until("the first part is in a checkpoint", || total() == 3_000);
    running.stop(&log);
    let saved = partition_watermarks(&kafka, &topic);

    // No checkpoints from here on. There is one worker, since moving a partition takes a checkpoint.
    let arguments = ["--workers", "1", "--set", "checkpoint.keep=1", "--set", "checkpoint.every=1h"];
    let running = run.start(&arguments, &second_log);
    kafka.produce(&topic, &events[3_000..6_000]);
    let before = partition_watermarks(&kafka, &topic);
    await_same_rows(&rows_fired_between(&kafka, &topic, None, Some(&before)), &redis, "before the accident");
    match accident {
        RedisAccident::Flushed => redis.flush_all(),
        RedisAccident::RestartedWithoutData => redis.restart_empty(),
        RedisAccident::RestartedWithOldCopy => {
            redis.save_copy();
            kafka.produce(&topic, &events[6_000..7_000]);
            let later = partition_watermarks(&kafka, &topic);
            await_same_rows(&rows_fired_between(&kafka, &topic, None, Some(&later)), &redis, "after the copy");
            redis.restart_with_copy();
        }
    }
    let rest: &[OutgoingRecord] =
        if accident == RedisAccident::RestartedWithOldCopy { &events[7_000..] } else { &events[6_000..] };
    kafka.produce(&topic, rest);
    kafka.produce(&topic, &closing_events(PARTITIONS));
    wait_until("it notices, in each partition", || {
        read_log(&second_log).matches("has lost acknowledged rows").count() == 2
    });
    // The copy is newer than the checkpoint, so it holds all rows before it.
    let from = if accident == RedisAccident::RestartedWithOldCopy { None } else { Some(&saved[..]) };
    let expected = rows_fired_between(&kafka, &topic, from, None);
    await_same_rows(&expected, &redis, &format!("{accident:?}: {}", read_log(&second_log)));
    running.stop(&second_log);
    await_same_rows(&expected, &redis, "after the stop");
}

#[test]
fn rows_that_redis_lost_are_written_again() {
    let _kafka = kafka_or_skip!();
    let folder = tempfile::tempdir().expect("a folder");
    let seed = read_or_create_seed();
    for accident in [RedisAccident::Flushed, RedisAccident::RestartedWithoutData, RedisAccident::RestartedWithOldCopy] {
        println!("{accident:?}");
        run_accident(accident, folder.path(), seed);
    }
}

/// Whether the job runs while Redis fails over, or starts afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum JobDuringFailover {
    Running,
    Stopped,
}

/// The master acknowledges rows, a checkpoint counts them, and the replica that takes over never had them.
fn run_failover(job: JobDuringFailover, folder: &Path, seed: u64) {
    let kafka = TestKafka::with_brokers(std::env::var("WINDROW_TEST_KAFKA").expect("checked by the caller"));
    let mut redis = RedisPair::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    let events = generate_events(9_000, seed);
    let total = || kafka.committed_offsets(&run.group, &topic, PARTITIONS).iter().sum::<i64>();
    let (log, second_log) = (folder.join(format!("{job:?}-1")), folder.join(format!("{job:?}-2")));
    let arguments = ["--set", "checkpoint.keep=20"];

    let running = run.start(&arguments, &log);
    kafka.produce(&topic, &events[..3_000]);
    wait_until("the first part is in a checkpoint", || total() == 3_000);
    redis.hold_replication();
    kafka.produce(&topic, &events[3_000..6_000]);
    wait_until("the second part is in a checkpoint", || total() == 6_000);
    let before = partition_watermarks(&kafka, &topic);
    await_same_rows(&rows_fired_between(&kafka, &topic, None, Some(&before)), &redis.master, "before the failover");
    let (running, log) = match job {
        JobDuringFailover::Running => {
            redis.fail_over();
            (running, log)
        }
        JobDuringFailover::Stopped => {
            running.stop(&log);
            redis.fail_over();
            (run.start(&arguments, &second_log), second_log)
        }
    };
    kafka.produce(&topic, &events[6_000..]);
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = rows_fired_between(&kafka, &topic, None, None);
    await_same_rows(&expected, &redis.replica, &format!("{job:?}: {}", read_log(&log)));
    running.stop(&log);
    await_same_rows(&expected, &redis.replica, "after the stop");
    let log = read_log(&log);
    // A rebalance may move a partition while it is being opened. Its next owner then goes back, too.
    let gone_back = log.lines().filter(|line| line.contains("going back to an older checkpoint"));
    let partitions: BTreeSet<&str> =
        gone_back.filter_map(|line| line.split_once(" partition=")?.1.split(' ').next()).collect();
    assert_eq!(partitions, BTreeSet::from(["0", "1"]), "{log}");
    assert!(!log.contains("no checkpoint is old enough"), "{log}");
}

#[test]
fn rows_lost_behind_a_checkpoint_are_written_again() {
    let _kafka = kafka_or_skip!();
    let folder = tempfile::tempdir().expect("a folder");
    let seed = read_or_create_seed();
    for job in [JobDuringFailover::Running, JobDuringFailover::Stopped] {
        println!("{job:?}");
        run_failover(job, folder.path(), seed);
    }
}

/// Whether rows count as acknowledged only once the replica has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ReplicaWait {
    None,
    OneReplica,
}

/// Replication is held up while the job runs on, and the replica takes over without the rows of that time. A single
/// checkpoint is kept, so the job cannot go back behind it. Returns the rows of the replica in the end, and those of an
/// undisturbed run.
fn run_with_held_replication(wait: ReplicaWait, folder: &Path, seed: u64) -> (RowsByKey, RowsByKey) {
    let kafka = TestKafka::with_brokers(std::env::var("WINDROW_TEST_KAFKA").expect("checked by the caller"));
    let mut redis = RedisPair::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    // The job is killed, and its partitions are free after this time.
    run.set_override("source.kafka.session_timeout=6s");
    let events = generate_events(9_000, seed);
    let total = || kafka.committed_offsets(&run.group, &topic, PARTITIONS).iter().sum::<i64>();
    let log = folder.join(format!("{wait:?}"));
    let (port, replicas) = (free_port(), if wait == ReplicaWait::None { 0 } else { 1 });
    let wait_setting = format!("sink.redis.wait_replicas={replicas}");
    let address = format!("127.0.0.1:{port}");
    let arguments = ["--set", "checkpoint.keep=1", "--set", &wait_setting, "--listen", &address];
    let is_ready = || send_request(port, "GET", "/readyz", "").is_some_and(|(status, _)| status == 200);

    let running = run.start(&arguments, &log);
    kafka.produce(&topic, &events[..3_000]);
    wait_until("the first part is in a checkpoint", || total() == 3_000);
    redis.hold_replication();
    kafka.produce(&topic, &events[3_000..6_000]);
    match wait {
        ReplicaWait::None => wait_until("the second part is in a checkpoint", || total() == 6_000),
        ReplicaWait::OneReplica => {
            let reason = "0 of 1 replicas have them (sink.redis.wait_replicas)";
            wait_until("/readyz tells why", || {
                let answer = send_request(port, "GET", "/readyz", "");
                answer.is_some_and(|(status, body)| status == 503 && body.contains(reason))
            });
            wait_until("the pages tell why", || {
                send_request(port, "GET", "/api/overview", "").is_some_and(|(_, body)| body.contains(reason))
            });
            // Several checkpoints are due in this time, and none of them completes.
            std::thread::sleep(std::time::Duration::from_secs(5));
            assert!(total() < 6_000, "a checkpoint counts rows that the replica lacks");
            assert_eq!(read_log(&log).matches(reason).count(), 1, "{}", read_log(&log));
            // Once the replica is back, the job goes on.
            redis.resume_replication();
            wait_until("the second part is in a checkpoint", || total() == 6_000);
            // Redis was reachable all the time.
            let text = read_log(&log);
            assert!(text.contains("replicas of Redis acknowledge rows again"), "{text}");
            assert!(!text.contains("Redis is reachable again"), "{text}");
            redis.hold_replication();
            kafka.produce(&topic, &events[6_000..7_000]);
            wait_until("it waits again", || !is_ready());
        }
    }
    // After the failover no replica is left, so the job starts again without `wait_replicas`.
    running.kill();
    redis.fail_over();
    kafka.produce(&topic, if wait == ReplicaWait::None { &events[6_000..] } else { &events[7_000..] });
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let end = 9_000 + i64::try_from(closing_events(PARTITIONS).len()).expect("few");
    let log = folder.join(format!("{wait:?}-2"));
    let running = run.start(&["--set", "checkpoint.keep=1"], &log);
    wait_until("everything is in a checkpoint", || total() == end);
    running.stop(&log);
    (redis.replica.read_rows(), rows_fired_between(&kafka, &topic, None, None))
}

#[test]
fn rows_that_a_replica_must_have_are_not_lost() {
    let _kafka = kafka_or_skip!();
    let folder = tempfile::tempdir().expect("a folder");
    let seed = read_or_create_seed();
    let (found, expected) = run_with_held_replication(ReplicaWait::None, folder.path(), seed);
    assert!(found.len() < expected.len(), "nothing was lost, so this shows nothing");
    let (found, expected) = run_with_held_replication(ReplicaWait::OneReplica, folder.path(), seed);
    assert_same_rows(&expected, &found, "with wait_replicas = 1");
}

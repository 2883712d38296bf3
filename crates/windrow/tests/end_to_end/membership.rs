//! `windrow run` as a member of its group: processes that are paused, restarted, or share a name.

use std::path::Path;
use std::time::Duration;
use windrow_test_support::wait_until;

use crate::support::expected::closing_events;
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::{RunningJob, TestJob};
use crate::topic::{read_log, user_events};

/// Settings with which the group soon removes a paused member, for each protocol. With `consumer` the broker decides.
const PROTOCOLS: [&str; 2] = ["source.kafka.session_timeout=\"6s\"", "source.kafka.group_protocol=consumer"];

fn count_in_log(log: &Path, what: &str) -> usize {
    read_log(log).matches(what).count()
}

/// Starts a process and waits until it reads.
fn start_member(run: &TestJob, arguments: &[&str], log: &Path) -> RunningJob {
    let running = run.start(&[&["--workers", "1"], arguments].concat(), log);
    wait_until("it reads", || read_log(log).contains("reading partitions"));
    running
}

/// A process is paused beyond the session timeout and another takes over its partitions. It notices, joins the group again
/// and continues.
#[test]
fn a_process_that_stood_still_joins_again() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(2, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, other_log) = (folder.path().join("log"), folder.path().join("other"));
        let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        run.set_override(protocol);
        let mut zombie = start_member(&run, &[], &log);
        kafka.produce(&topic, &[user_events(0, 10), user_events(1, 10)].concat());
        wait_until("it works", || kafka.committed_offsets(&run.group, &topic, 2) == [10, 10]);

        zombie.send_signal("-STOP");
        let mut other = start_member(&run, &[], &other_log);
        kafka.produce(&topic, &[user_events(0, 10), user_events(1, 10)].concat());
        wait_until("the other one has it all", || kafka.committed_offsets(&run.group, &topic, 2) == [20, 20]);
        zombie.send_signal("-CONT");
        wait_until("it notices", || read_log(&log).contains("partitions were lost to another member"));
        wait_until("it gets its share", || count_in_log(&log, "reading partitions topic") >= 2);
        other.send_signal("-TERM");
        assert_eq!(other.wait_for_exit(), Some(0), "{}", read_log(&other_log));
        kafka.produce(&topic, &[user_events(0, 10), user_events(1, 10)].concat());
        wait_until("it works on alone", || kafka.committed_offsets(&run.group, &topic, 2) == [30, 30]);
        zombie.send_signal("-TERM");
        assert_eq!(zombie.wait_for_exit(), Some(0), "{}", read_log(&log));
    }
}

/// A restarted process with the same name gets its partitions back without a rebalance of the others.
#[test]
fn a_process_with_a_name_restarts_without_a_rebalance() {
    let kafka = kafka_or_skip!();
    for protocol in ["source.kafka.session_timeout=\"30s\"", PROTOCOLS[1]] {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(4, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, again, other_log) =
            (folder.path().join("log"), folder.path().join("again"), folder.path().join("other"));
        let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        run.set_override(protocol);
        let mut other = start_member(&run, &["--instance", "other"], &other_log);
        let mut named = start_member(&run, &["--instance", "named"], &log);
        wait_until("each has its share", || count_in_log(&other_log, "releasing partitions") == 1);
        kafka.produce(&topic, &(0..4).flat_map(|partition| user_events(partition, 10)).collect::<Vec<_>>());
        wait_until("both work", || kafka.committed_offsets(&run.group, &topic, 4) == [10; 4]);

        named.send_signal("-TERM");
        assert_eq!(named.wait_for_exit(), Some(0), "{}", read_log(&log));
        let mut named = start_member(&run, &["--instance", "named"], &again);
        kafka.produce(&topic, &(0..4).flat_map(|partition| user_events(partition, 10)).collect::<Vec<_>>());
        wait_until("both work again", || kafka.committed_offsets(&run.group, &topic, 4) == [20; 4]);
        let other_log_text = read_log(&other_log);
        assert_eq!(count_in_log(&other_log, "releasing partitions"), 1, "{protocol}: {other_log_text}");
        for (running, log) in [(&mut named, &again), (&mut other, &other_log)] {
            running.send_signal("-TERM");
            assert_eq!(running.wait_for_exit(), Some(0), "{}", read_log(log));
        }
    }
}

/// A named process is killed while it releases partitions. It comes back without a rebalance, so only the process itself can
/// detect that these partitions have no owner.
#[test]
fn a_process_with_a_name_killed_within_a_rebalance_leaves_no_partition_unread() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(4, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, again) = (folder.path().join("log"), folder.path().join("again"));
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override("source.kafka.session_timeout=\"60s\"");
    let everywhere = || (0..4).flat_map(|partition| user_events(partition, 10)).collect::<Vec<_>>();
    let named = start_member(&run, &["--instance", "named"], &log);
    kafka.produce(&topic, &everywhere());
    wait_until("it works", || kafka.committed_offsets(&run.group, &topic, 4) == [10; 4]);

    // It cannot write the rows that it must write before it releases a partition.
    redis.pause();
    kafka.produce(&topic, &closing_events(4));
    std::thread::sleep(Duration::from_secs(1));
    let visitor = kafka.subscribe_idle_member(&run.group, &topic);
    wait_until("the group has shared out its partitions anew", || {
        assert_eq!(visitor.poll_assigned_partition_count(), 0, "{}", read_log(&log));
        kafka.is_group_stable(&run.group, 2)
    });
    named.kill();
    redis.resume();

    let mut named = start_member(&run, &["--instance", "named"], &again);
    wait_until("the visitor has its share", || visitor.poll_assigned_partition_count() == 2);
    drop(visitor);
    kafka.produce(&topic, &everywhere());
    wait_until("all are read", || kafka.committed_offsets(&run.group, &topic, 4) == [21; 4]);
    let again_log = read_log(&again);
    assert!(again_log.contains("partitions have been unassigned for"), "{again_log}");
    named.send_signal("-TERM");
    assert_eq!(named.wait_for_exit(), Some(0), "{}", read_log(&again));
}

/// Two processes with one name would take each other's partitions. One of them halts with the reason.
#[test]
fn two_processes_must_not_have_the_same_name() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(2, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, second_log) = (folder.path().join("log"), folder.path().join("second"));
        let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        run.set_override(protocol);
        let mut first = start_member(&run, &["--instance", "one"], &log);
        let mut second = run.start(&["--workers", "1", "--instance", "one"], &second_log);
        // The classic protocol replaces the first member by the newcomer; the new protocol refuses the newcomer.
        let (ended, ended_log, mut stays) = if protocol == PROTOCOLS[0] {
            (first.wait_for_exit(), read_log(&log), second)
        } else {
            (second.wait_for_exit(), read_log(&second_log), first)
        };
        assert_eq!(ended, Some(7), "{ended_log}");
        assert!(ended_log.contains("Give each process its own name with `--instance`"), "{ended_log}");
        stays.send_signal("-TERM");
        assert_eq!(stays.wait_for_exit(), Some(0));
    }
}

/// A session timeout outside the broker's range halts the job with the names of both settings.
#[test]
fn a_session_timeout_that_the_broker_refuses_ends_the_job() {
    let kafka: TestKafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override("source.kafka.session_timeout=\"1s\"");
    let mut running = run.start(&["--workers", "1"], &log);
    assert_eq!(running.wait_for_exit(), Some(7), "{}", read_log(&log));
    let log = read_log(&log);
    assert!(log.contains("does not allow the session timeout of 1000 ms"), "{log}");
    assert!(log.contains("group.min.session.timeout.ms") && log.contains("`source.kafka.session_timeout`"), "{log}");
}

/// A worker without partitions leaves the group as well. Otherwise the next start would wait until its session ends.
#[test]
fn a_stop_leaves_no_member_without_partitions_behind() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let mut running = run.start(&["--workers", "2"], &log);
    wait_until("both workers are members", || kafka.is_group_stable(&run.group, 2));
    running.send_signal("-TERM");
    assert_eq!(running.wait_for_exit(), Some(0), "{}", read_log(&log));
    assert_eq!(kafka.group_member_count(&run.group), 0, "{}", read_log(&log));
}

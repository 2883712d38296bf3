//! `run` as a member of its group: processes that stall, come back, or share a name.

use std::path::Path;
use std::time::Duration;

use crate::support::eventually;
use crate::support::expected::closing_events;
use crate::support::kafka::{Kafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::{Run, Running};
use crate::topic::{events, said};

/// What makes the group miss a process soon, in either protocol (there the broker decides).
const PROTOCOLS: [&str; 2] = ["source.kafka.session_timeout=\"6s\"", "source.kafka.group_protocol=consumer"];

fn count(log: &Path, what: &str) -> usize {
    said(log).matches(what).count()
}

/// A process that reads all or its part of a topic.
fn member(run: &Run, arguments: &[&str], log: &Path) -> Running {
    let running = run.start(&[&["--workers", "1"], arguments].concat(), log);
    eventually(30, "it reads", || said(log).contains("reading partitions"));
    running
}

/// A process that is stopped for longer than the session timeout, while another takes its partitions over, notices,
/// joins again and works on.
#[test]
fn a_process_that_stood_still_joins_again() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let redis = Redis::start();
        let topic = kafka.create_topic(2, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, other_log) = (folder.path().join("log"), folder.path().join("other"));
        let mut run = Run::new(&kafka.brokers, &redis.url(), &topic);
        run.set(protocol);
        let mut zombie = member(&run, &[], &log);
        kafka.produce(&topic, &[events(0, 10), events(1, 10)].concat());
        eventually(30, "it works", || kafka.committed(&run.group, &topic, 2) == [10, 10]);

        zombie.signal("-STOP");
        let mut other = member(&run, &[], &other_log);
        kafka.produce(&topic, &[events(0, 10), events(1, 10)].concat());
        eventually(30, "the other one has it all", || kafka.committed(&run.group, &topic, 2) == [20, 20]);
        zombie.signal("-CONT");
        eventually(30, "it notices", || said(&log).contains("partitions were lost to another member"));
        eventually(30, "it gets its share", || count(&log, "reading partitions topic") >= 2);
        other.signal("-TERM");
        assert_eq!(other.wait(Duration::from_secs(15)), Some(0), "{}", said(&other_log));
        kafka.produce(&topic, &[events(0, 10), events(1, 10)].concat());
        eventually(30, "it works on alone", || kafka.committed(&run.group, &topic, 2) == [30, 30]);
        zombie.signal("-TERM");
        assert_eq!(zombie.wait(Duration::from_secs(15)), Some(0), "{}", said(&log));
    }
}

/// With a name that outlives it, a process that is started again gets its partitions back, and the others notice
/// nothing.
#[test]
fn a_process_with_a_name_restarts_without_a_rebalance() {
    let kafka = kafka_or_skip!();
    for protocol in ["source.kafka.session_timeout=\"30s\"", PROTOCOLS[1]] {
        let redis = Redis::start();
        let topic = kafka.create_topic(4, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, again, other_log) =
            (folder.path().join("log"), folder.path().join("again"), folder.path().join("other"));
        let mut run = Run::new(&kafka.brokers, &redis.url(), &topic);
        run.set(protocol);
        let mut other = member(&run, &["--instance", "other"], &other_log);
        let mut named = member(&run, &["--instance", "named"], &log);
        eventually(30, "each has its share", || count(&other_log, "giving partitions up") == 1);
        kafka.produce(&topic, &(0..4).flat_map(|partition| events(partition, 10)).collect::<Vec<_>>());
        eventually(30, "both work", || kafka.committed(&run.group, &topic, 4) == [10; 4]);

        named.signal("-TERM");
        assert_eq!(named.wait(Duration::from_secs(15)), Some(0), "{}", said(&log));
        let mut named = member(&run, &["--instance", "named"], &again);
        kafka.produce(&topic, &(0..4).flat_map(|partition| events(partition, 10)).collect::<Vec<_>>());
        eventually(30, "both work again", || kafka.committed(&run.group, &topic, 4) == [20; 4]);
        let other_said = said(&other_log);
        assert_eq!(count(&other_log, "giving partitions up"), 1, "{protocol}: {other_said}");
        for (running, log) in [(&mut named, &again), (&mut other, &other_log)] {
            running.signal("-TERM");
            assert_eq!(running.wait(Duration::from_secs(15)), Some(0), "{}", said(log));
        }
    }
}

/// A process with a name that is killed between being told to give partitions up and having given them up: as it comes
/// back without a rebalance, nobody but itself can see that those partitions are nobody's.
#[test]
fn a_process_with_a_name_killed_within_a_rebalance_leaves_no_partition_unread() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_topic(4, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (log, again) = (folder.path().join("log"), folder.path().join("again"));
    let mut run = Run::new(&kafka.brokers, &redis.url(), &topic);
    run.set("source.kafka.session_timeout=\"60s\"");
    let everywhere = || (0..4).flat_map(|partition| events(partition, 10)).collect::<Vec<_>>();
    let named = member(&run, &["--instance", "named"], &log);
    kafka.produce(&topic, &everywhere());
    eventually(30, "it works", || kafka.committed(&run.group, &topic, 4) == [10; 4]);

    // What it would have to write before it may give a partition up cannot be written.
    redis.freeze();
    kafka.produce(&topic, &closing_events(4));
    std::thread::sleep(Duration::from_secs(1));
    let visitor = kafka.visitor(&run.group, &topic);
    eventually(30, "the group has shared out its partitions anew", || {
        assert_eq!(visitor.partitions(), 0, "{}", said(&log));
        kafka.is_settled(&run.group, 2)
    });
    named.kill();
    redis.thaw();

    let mut named = member(&run, &["--instance", "named"], &again);
    eventually(60, "the visitor has its share", || visitor.partitions() == 2);
    drop(visitor);
    kafka.produce(&topic, &everywhere());
    eventually(30, "all are read", || kafka.committed(&run.group, &topic, 4) == [21; 4]);
    let again_said = said(&again);
    assert!(again_said.contains("assigned to nobody"), "{again_said}");
    named.signal("-TERM");
    assert_eq!(named.wait(Duration::from_secs(15)), Some(0), "{}", said(&again));
}

/// Two processes of one name would take each other's partitions: one of them ends, and says why.
#[test]
fn two_processes_must_not_have_the_same_name() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let redis = Redis::start();
        let topic = kafka.create_topic(2, &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, second_log) = (folder.path().join("log"), folder.path().join("second"));
        let mut run = Run::new(&kafka.brokers, &redis.url(), &topic);
        run.set(protocol);
        let mut first = member(&run, &["--instance", "one"], &log);
        let mut second = run.start(&["--workers", "1", "--instance", "one"], &second_log);
        // The classic protocol puts the newcomer in the place of the first, the new one refuses the newcomer.
        let (ended, ended_log, mut stays) = if protocol == PROTOCOLS[0] {
            (first.wait(Duration::from_secs(30)), said(&log), second)
        } else {
            (second.wait(Duration::from_secs(30)), said(&second_log), first)
        };
        assert_eq!(ended, Some(7), "{ended_log}");
        assert!(ended_log.contains("two must not run with the same `--instance`"), "{ended_log}");
        stays.signal("-TERM");
        assert_eq!(stays.wait(Duration::from_secs(15)), Some(0));
    }
}

/// What the broker does not allow is said with both settings' names.
#[test]
fn a_session_timeout_that_the_broker_refuses_ends_the_job() {
    let kafka: Kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut run = Run::new(&kafka.brokers, &redis.url(), &topic);
    run.set("source.kafka.session_timeout=\"1s\"");
    let mut running = run.start(&["--workers", "1"], &log);
    assert_eq!(running.wait(Duration::from_secs(20)), Some(7), "{}", said(&log));
    let log = said(&log);
    assert!(log.contains("does not allow the session timeout of 1000 ms"), "{log}");
    assert!(log.contains("group.min.session.timeout.ms") && log.contains("`source.kafka.session_timeout`"), "{log}");
}

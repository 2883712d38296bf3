//! Processes with `--instance` names that lose their membership: they are suspended, killed and started again at once, or
//! Kafka stands still. They recover by themselves, unless another process uses their name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use windrow_test_support::kafka::{DedicatedKafka, TestKafka};
use windrow_test_support::{free_port, wait_until};

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::kafka_or_skip;
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::traffic::{EventFeeder, SeededRandom, generate_events, read_or_create_seed};
use crate::support::windrow::{RunningJob, TestJob, telling_pipeline};
use crate::topic::{read_log, user_events};

const PARTITIONS: i32 = 4;

/// With both, the session of a member times out after 6 s. For `consumer` the broker decides.
const PROTOCOLS: [&str; 2] = ["source.kafka.session_timeout=\"6s\"", "source.kafka.group_protocol=consumer"];

/// How often a process is suspended.
const SUSPENSIONS: u64 = 3;

/// A job, its topic and its Redis.
struct NamedJob {
    job: TestJob,
    topic: String,
    redis: Redis,
    folder: tempfile::TempDir,
}

impl NamedJob {
    fn prepare(kafka: &TestKafka, protocol: &str) -> Self {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(PARTITIONS, &[]);
        let mut job = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
        job.set_override(protocol);
        // Many commits, so that some meet each state of the membership.
        job.set_override("checkpoint.every=100ms");
        Self { job, topic, redis, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Starts a process with the instance name `name`, and returns it with its log.
    fn start(&self, name: &str, log_name: &str) -> (RunningJob, PathBuf) {
        let log = self.folder.path().join(log_name);
        (self.job.start(&["--workers", "1", "--instance", name], &log), log)
    }

    fn committed_count(&self, kafka: &TestKafka) -> i64 {
        kafka.committed_offsets(&self.job.group, &self.topic, PARTITIONS).iter().map(|&offset| offset.max(0)).sum()
    }

    /// Sends one record to each partition, and waits until the group has committed it. Fails if a process ends.
    fn await_progress(&self, kafka: &TestKafka, what: &str, processes: &mut [(&mut RunningJob, &Path)]) {
        let committed = self.committed_count(kafka);
        (0..PARTITIONS).for_each(|partition| kafka.produce(&self.topic, &user_events(partition, 1)));
        wait_until(what, || {
            for (running, log) in &mut *processes {
                assert!(running.exit_status().is_none(), "{what}: it ended by itself:\n{}", read_log(log));
            }
            self.committed_count(kafka) >= committed + i64::from(PARTITIONS)
        });
    }
}

fn count_in_log(log: &Path, what: &str) -> usize {
    read_log(log).matches(what).count()
}

/// Returns whether the process with this log has begun to read partitions since it last lost or released some. The loss
/// is logged first, then the release.
fn holds_partitions(log: &Path) -> bool {
    let log_text = read_log(log);
    let last_departure = log_text.rfind("releasing partitions").max(log_text.rfind("were lost"));
    log_text.rfind("started reading partitions") > last_departure
}

/// The group removes a suspended process. When the process continues, it joins again under its name.
#[test]
fn a_suspended_process_with_a_name_joins_again() {
    let kafka = kafka_or_skip!();
    let mut random = SeededRandom::new(read_or_create_seed());
    for protocol in PROTOCOLS {
        let named_job = NamedJob::prepare(&kafka, protocol);
        let (mut other, other_log) = named_job.start("other", "other");
        wait_until("it reads", || read_log(&other_log).contains("started reading partitions"));
        let (mut named, log) = named_job.start("named", "named");
        wait_until("each has its share", || count_in_log(&other_log, "releasing partitions") >= 1);
        let events = generate_events(20_000, random.between(0, 1_000_000));
        let feeder = EventFeeder::start(&kafka, &named_job.topic, events, Duration::from_secs(60));
        for _ in 0..SUSPENSIONS {
            wait_until("it has partitions", || {
                assert!(named.exit_status().is_none(), "{protocol}: it ended by itself:\n{}", read_log(&log));
                holds_partitions(&log)
            });
            let (losses, takeovers) = (count_in_log(&log, "were lost"), count_in_log(&other_log, "started reading"));
            named.send_signal("-STOP");
            wait_until("the other one takes over", || count_in_log(&other_log, "started reading") > takeovers);
            std::thread::sleep(Duration::from_millis(random.between(0, 1_500)));
            named.send_signal("-CONT");
            wait_until("it notices", || {
                assert!(named.exit_status().is_none(), "{protocol}: it ended by itself:\n{}", read_log(&log));
                count_in_log(&log, "were lost") > losses
            });
        }
        feeder.finish_at_once();
        let processes = &mut [(&mut named, log.as_path()), (&mut other, other_log.as_path())];
        named_job.await_progress(&kafka, "both work again", processes);
        kafka.produce(&named_job.topic, &closing_events(PARTITIONS));
        let expected = replay_expected_rows(&kafka, &named_job.topic, PARTITIONS, &telling_pipeline());
        await_same_rows(&expected.contents, &named_job.redis, "after the suspensions");
        named.stop(&log);
        other.stop(&other_log);
    }
}

/// Kafka answers nothing for longer than a session, then everything at once: commits, heartbeats, joins.
#[test]
fn a_process_with_a_name_survives_a_kafka_that_stands_still() {
    drop(kafka_or_skip!());
    let mut random = SeededRandom::new(read_or_create_seed());
    let port = free_port();
    let broker = DedicatedKafka::start(port, &format!("localhost:{port}"));
    let kafka = TestKafka::with_brokers(format!("localhost:{port}"));
    for protocol in PROTOCOLS {
        let named_job = NamedJob::prepare(&kafka, protocol);
        let (mut named, log) = named_job.start("named", "named");
        let processes = &mut [(&mut named, log.as_path())];
        named_job.await_progress(&kafka, "it works", processes);
        for _ in 0..SUSPENSIONS {
            let suspension = Duration::from_millis(random.between(5_800, 10_000));
            println!("{protocol}: Kafka is suspended for {suspension:?}");
            // Records whose offsets are to be committed.
            (0..PARTITIONS).for_each(|partition| kafka.produce(&named_job.topic, &user_events(partition, 100)));
            broker.suspend();
            std::thread::sleep(suspension);
            broker.resume();
            named_job.await_progress(&kafka, "it works again", processes);
        }
        named.stop(&log);
    }
}

/// A process is killed and started again before the group has noticed. With `consumer`, the group refuses the name until the
/// session of the killed process has timed out.
#[test]
fn a_killed_process_starts_again_under_its_name() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let named_job = NamedJob::prepare(&kafka, protocol);
        let (mut named, log) = named_job.start("named", "named");
        named_job.await_progress(&kafka, "it works", &mut [(&mut named, &log)]);
        named.kill();
        let (mut again, again_log) = named_job.start("named", "again");
        named_job.await_progress(&kafka, "it works again", &mut [(&mut again, &again_log)]);
        let warnings = usize::from(protocol == PROTOCOLS[1]);
        let log_text = read_log(&again_log);
        assert_eq!(
            log_text.matches("the group still has a member with this process's name").count(),
            warnings,
            "{log_text}"
        );
        again.stop(&again_log);
    }
}

/// A process is stopped while it waits for its name.
#[test]
fn a_process_that_waits_for_its_name_stops_cleanly() {
    let kafka = kafka_or_skip!();
    let named_job = NamedJob::prepare(&kafka, PROTOCOLS[1]);
    let (mut first, log) = named_job.start("named", "first");
    named_job.await_progress(&kafka, "it works", &mut [(&mut first, &log)]);
    let (second, second_log) = named_job.start("named", "second");
    wait_until("it waits", || read_log(&second_log).contains("the group still has a member"));
    second.stop(&second_log);
    named_job.await_progress(&kafka, "the first one works on", &mut [(&mut first, &log)]);
    first.stop(&log);
}

/// Another process with the same name starts while a process is suspended. One of the two halts soon after it continues, and the
/// other works on: they do not take the name from each other for ever.
#[test]
fn a_name_taken_over_during_a_suspension_ends_one_of_both_processes() {
    let kafka = kafka_or_skip!();
    for protocol in PROTOCOLS {
        let named_job = NamedJob::prepare(&kafka, protocol);
        let (mut first, log) = named_job.start("named", "first");
        named_job.await_progress(&kafka, "it works", &mut [(&mut first, &log)]);
        first.send_signal("-STOP");
        let (mut second, second_log) = named_job.start("named", "second");
        named_job.await_progress(&kafka, "the second one works", &mut [(&mut second, &second_log)]);
        first.send_signal("-CONT");
        wait_until("one of them ends", || first.exit_status().is_some() || second.exit_status().is_some());
        let (code, ended_log, mut stays, stays_log) = match (first.exit_status(), second.exit_status()) {
            (Some(status), None) => (status.code(), &log, second, &second_log),
            (None, Some(status)) => (status.code(), &second_log, first, &log),
            both => panic!("{protocol}: {both:?}"),
        };
        println!("{protocol}: ended: {}", ended_log.display());
        let ended_text = read_log(ended_log);
        assert_eq!(code, Some(7), "{protocol}: {ended_text}");
        assert!(ended_text.contains("Give each process its own name with `--instance`"), "{ended_text}");
        named_job.await_progress(&kafka, "the other one works on", &mut [(&mut stays, stays_log)]);
        stays.stop(stays_log);
    }
}

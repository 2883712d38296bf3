//! An instance whose checkpoint store does not answer must not hold up its group.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::gate::TcpGate;
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::s3::{TestS3, s3_or_skip};
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, set_s3_environment, telling_pipeline};
use crate::topic::{count_opened_partitions, read_log};

const PARTITIONS: i32 = 4;
/// How long the idle instance gets to join the group.
const JOIN_DURATION: Duration = Duration::from_secs(8);

/// A job whose instances reach the same S3: the sick one through a gate.
struct SickStoreJob {
    healthy: TestJob,
    sick: TestJob,
    store_gate: TcpGate,
    redis: Redis,
    topic: String,
    folder: tempfile::TempDir,
}

impl SickStoreJob {
    fn prepare(kafka: &TestKafka, s3: &TestS3, partition_count: i32) -> Self {
        let (redis, topic) = (Redis::start(), kafka.create_unique_topic(partition_count, &[]));
        let store_gate = TcpGate::start(s3.port);
        let mut healthy = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
        healthy.set_override(&format!("checkpoint.store={}", TestS3::generate_unique_place()));
        healthy.set_override("source.kafka.session_timeout=\"6s\"");
        let mut sick = healthy.with_own_environment();
        set_s3_environment(&mut healthy, &s3.url);
        set_s3_environment(&mut sick, &store_gate.http_url());
        Self { healthy, sick, store_gate, redis, topic, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Returns the paths of the logs of the killed, the healthy and the sick instance.
    fn log_paths(&self) -> [PathBuf; 3] {
        ["killed", "healthy", "sick"].map(|name| self.folder.path().join(name))
    }
}

/// Two instances share the partitions, and a third is idle. Then the third reaches its store no longer, and one of the
/// others is killed. The group gives the partitions of the killed one to the idle one, which cannot open them.
#[test]
fn partitions_of_a_killed_instance_are_read_although_the_store_of_another_hangs() {
    let kafka = kafka_or_skip!();
    let (s3, seed) = (s3_or_skip!(), read_or_create_seed());
    let job = SickStoreJob::prepare(&kafka, &s3, PARTITIONS);
    let SickStoreJob { healthy, sick, store_gate, redis, topic, .. } = &job;
    let [killed_log, healthy_log, sick_log] = job.log_paths();
    let killed = healthy.start(&["--workers", "2"], &killed_log);
    wait_until("the first instance reads all partitions", || count_opened_partitions(&killed_log) == 4);
    let second = healthy.start(&["--workers", "2"], &healthy_log);
    wait_until("the second instance has half of the partitions", || count_opened_partitions(&healthy_log) == 2);
    let third = sick.start(&["--workers", "2"], &sick_log);
    kafka.produce(topic, &generate_events(20_000, seed));
    std::thread::sleep(JOIN_DURATION);
    assert_eq!(count_opened_partitions(&sick_log), 0, "the third instance is idle");

    store_gate.hold();
    killed.kill();
    let killed_at = Instant::now();
    kafka.produce(topic, &closing_events(PARTITIONS));
    let expected = replay_expected_rows(&kafka, topic, PARTITIONS, &telling_pipeline());
    await_same_rows(&expected.contents, redis, "while the store of one instance hangs");
    println!(
        "all partitions were read {:.1} s after the kill (session timeout 6 s); the sick instance had left the group: {}",
        killed_at.elapsed().as_secs_f64(),
        read_log(&sick_log).contains("leaving the consumer group")
    );

    wait_until("the sick instance leaves the group", || read_log(&sick_log).contains("leaving the consumer group"));
    store_gate.release();
    let healed_at = Instant::now();
    wait_until("the sick instance is well again", || read_log(&sick_log).contains("joining the consumer group"));
    println!("the sick instance joined again {:.1} s after its store answered", healed_at.elapsed().as_secs_f64());
    second.kill();
    wait_until("the third instance reads all partitions", || count_opened_partitions(&sick_log) >= 4);
    third.stop(&sick_log);
    await_same_rows(&expected.contents, redis, "after the third instance has read all partitions");
}

/// The sick instance has open partitions. It processes them further, so it stays in the group. Of the partitions of the killed
/// instance, the healthy one reads those that the group assigns to it. The others wait for the store of the sick one.
#[test]
fn an_instance_whose_store_hangs_goes_on_with_its_open_partitions() {
    let kafka = kafka_or_skip!();
    let (s3, seed) = (s3_or_skip!(), read_or_create_seed());
    let job = SickStoreJob::prepare(&kafka, &s3, 6);
    let SickStoreJob { healthy, sick, store_gate, redis, topic, .. } = &job;
    let [killed_log, healthy_log, sick_log] = job.log_paths();
    let third = sick.start(&["--workers", "1"], &sick_log);
    wait_until("the instance reads all partitions", || count_opened_partitions(&sick_log) == 6);
    let second = healthy.start(&["--workers", "1"], &healthy_log);
    wait_until("the second instance has a share", || count_opened_partitions(&healthy_log) >= 3);
    let killed = healthy.start(&["--workers", "1"], &killed_log);
    wait_until("the third instance has a share", || count_opened_partitions(&killed_log) >= 2);

    store_gate.hold();
    let opened_before = count_opened_partitions(&healthy_log);
    killed.kill();
    let killed_at = Instant::now();
    kafka.produce(topic, &generate_events(10_000, seed));
    kafka.produce(topic, &closing_events(6));
    wait_until("the healthy instance takes over", || count_opened_partitions(&healthy_log) > opened_before);
    println!("a partition of the killed instance was open again after {:.1} s", killed_at.elapsed().as_secs_f64());
    wait_until("rows are written while the store hangs", || redis.row_count() > 100);
    assert!(!read_log(&sick_log).contains("leaving the consumer group"), "its open partitions need it");
    store_gate.release();
    let expected = replay_expected_rows(&kafka, topic, 6, &telling_pipeline());
    await_same_rows(&expected.contents, redis, "after the store has recovered");
    second.stop(&healthy_log);
    third.stop(&sick_log);
}

//! An instance whose checkpoint store does not answer must not hold up its group.

use std::time::{Duration, Instant};
use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, set_s3_environment, telling_pipeline};
use crate::topic::{count_opened_partitions, read_log};

const PARTITIONS: i32 = 4;
/// The bucket of `dev/s3.sh`.
const BUCKET: &str = "windrow";
/// How long the idle instance gets to join the group.
const JOIN_DURATION: Duration = Duration::from_secs(8);

/// Two instances share the partitions, and a third is idle. Then the third reaches its store no longer, and one of the
/// others is killed. The group gives the partitions of the killed one to the idle one, which cannot open them.
#[test]
fn partitions_of_a_killed_instance_are_read_although_the_store_of_another_hangs() {
    let kafka = kafka_or_skip!();
    let Ok(s3) = std::env::var("WINDROW_TEST_S3") else {
        println!("skipped: checkpoints in S3 need one (WINDROW_TEST_S3=http://host:port)");
        return;
    };
    let (redis, topic, seed) = (Redis::start(), kafka.create_unique_topic(PARTITIONS, &[]), read_or_create_seed());
    let proxy = TcpProxy::start(s3.trim_start_matches("http://"), Duration::ZERO);
    let mut healthy = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    healthy.set_override(&format!("checkpoint.store=s3://{BUCKET}/{}", TestKafka::generate_unique_name("state")));
    healthy.set_override("source.kafka.session_timeout=\"6s\"");
    let mut sick = healthy.with_own_environment();
    set_s3_environment(&mut healthy, &s3);
    set_s3_environment(&mut sick, &proxy.url());

    let folder = tempfile::tempdir().expect("a folder");
    let log = |name: &str| folder.path().join(name);
    let (killed_log, healthy_log, sick_log) = (log("killed"), log("healthy"), log("sick"));
    let killed = healthy.start(&["--workers", "2"], &killed_log);
    wait_until("the first instance reads all partitions", || count_opened_partitions(&killed_log) == 4);
    let second = healthy.start(&["--workers", "2"], &healthy_log);
    wait_until("the second instance has half of the partitions", || count_opened_partitions(&healthy_log) == 2);
    let third = sick.start(&["--workers", "2"], &sick_log);
    kafka.produce(&topic, &generate_events(20_000, seed));
    std::thread::sleep(JOIN_DURATION);
    assert_eq!(count_opened_partitions(&sick_log), 0, "the third instance is idle");

    proxy.set_silent(true);
    killed.kill();
    let killed_at = Instant::now();
    kafka.produce(&topic, &closing_events(PARTITIONS));
    let expected = replay_expected_rows(&kafka, &topic, PARTITIONS, &telling_pipeline());
    await_same_rows(&expected.contents, &redis, "while the store of one instance hangs");
    println!(
        "all partitions were read {:.1} s after the kill (session timeout 6 s); the sick instance had left the group: {}",
        killed_at.elapsed().as_secs_f64(),
        read_log(&sick_log).contains("leaving the consumer group")
    );

    wait_until("the sick instance leaves the group", || read_log(&sick_log).contains("leaving the consumer group"));
    proxy.set_silent(false);
    let healed_at = Instant::now();
    wait_until("the sick instance is well again", || read_log(&sick_log).contains("joining the consumer group"));
    println!("the sick instance joined again {:.1} s after its store answered", healed_at.elapsed().as_secs_f64());
    second.kill();
    wait_until("the third instance reads all partitions", || count_opened_partitions(&sick_log) >= 4);
    third.stop(&sick_log);
    await_same_rows(&expected.contents, &redis, "after the third instance has read all partitions");
}

/// The sick instance has open partitions. It processes them further, so it stays in the group. Of the partitions of the killed
/// instance, the healthy one reads those that the group assigns to it. The others wait for the store of the sick one.
#[test]
fn an_instance_whose_store_hangs_goes_on_with_its_open_partitions() {
    let kafka = kafka_or_skip!();
    let Ok(s3) = std::env::var("WINDROW_TEST_S3") else {
        println!("skipped: checkpoints in S3 need one (WINDROW_TEST_S3=http://host:port)");
        return;
    };
    let (redis, topic, seed) = (Redis::start(), kafka.create_unique_topic(6, &[]), read_or_create_seed());
    let proxy = TcpProxy::start(s3.trim_start_matches("http://"), Duration::ZERO);
    let mut healthy = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    healthy.set_override(&format!("checkpoint.store=s3://{BUCKET}/{}", TestKafka::generate_unique_name("state")));
    healthy.set_override("source.kafka.session_timeout=\"6s\"");
    let mut sick = healthy.with_own_environment();
    set_s3_environment(&mut healthy, &s3);
    set_s3_environment(&mut sick, &proxy.url());

    let folder = tempfile::tempdir().expect("a folder");
    let log = |name: &str| folder.path().join(name);
    let (killed_log, healthy_log, sick_log) = (log("killed"), log("healthy"), log("sick"));
    let third = sick.start(&["--workers", "1"], &sick_log);
    wait_until("the instance reads all partitions", || count_opened_partitions(&sick_log) == 6);
    let second = healthy.start(&["--workers", "1"], &healthy_log);
    wait_until("the second instance has a share", || count_opened_partitions(&healthy_log) >= 3);
    let killed = healthy.start(&["--workers", "1"], &killed_log);
    wait_until("the third instance has a share", || count_opened_partitions(&killed_log) >= 2);

    proxy.set_silent(true);
    let opened_before = count_opened_partitions(&healthy_log);
    killed.kill();
    let killed_at = Instant::now();
    kafka.produce(&topic, &generate_events(10_000, seed));
    kafka.produce(&topic, &closing_events(6));
    wait_until("the healthy instance takes over", || count_opened_partitions(&healthy_log) > opened_before);
    println!("a partition of the killed instance was open again after {:.1} s", killed_at.elapsed().as_secs_f64());
    wait_until("rows are written while the store hangs", || redis.row_count() > 100);
    assert!(!read_log(&sick_log).contains("leaving the consumer group"), "its open partitions need it");
    proxy.set_silent(false);
    let expected = replay_expected_rows(&kafka, &topic, 6, &telling_pipeline());
    await_same_rows(&expected.contents, &redis, "after the store has recovered");
    second.stop(&healthy_log);
    third.stop(&sick_log);
}

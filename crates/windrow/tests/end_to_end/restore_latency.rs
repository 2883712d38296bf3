//! Many partitions of one worker, restored from an S3 with a long latency.

use std::time::{Duration, Instant};
use windrow_test_support::wait_until;

use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, set_s3_environment, telling_pipeline};
use crate::topic::read_log;

const PARTITIONS: i32 = 32;
/// What the proxy adds to each request.
const LATENCY: Duration = Duration::from_millis(20);
/// The partitions have about 8 requests each, one after another. With one partition at a time, they take 5 s.
const MAX_RESTORE_DURATION: Duration = Duration::from_secs(3);
/// The S3 of the tests is slow on a busy machine, so the fastest of several starts counts.
const ATTEMPTS: usize = 5;

#[test]
fn partitions_of_a_worker_are_restored_side_by_side() {
    let kafka = kafka_or_skip!();
    let Ok(s3) = std::env::var("WINDROW_TEST_S3") else {
        println!("skipped: checkpoints in S3 need one (WINDROW_TEST_S3=http://host:port)");
        return;
    };
    let (redis, topic) = (Redis::start(), kafka.create_unique_topic(PARTITIONS, &[]));
    let proxy = TcpProxy::start(s3.trim_start_matches("http://"), LATENCY);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("checkpoint.store=s3://windrow/{}", TestKafka::generate_unique_name("state")));
    set_s3_environment(&mut run, &proxy.url());
    kafka.produce(&topic, &generate_events(5_000, read_or_create_seed()));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let opened =
        || read_log(&log).lines().filter(|line| line.contains(" partition=") && line.contains("epoch=")).count();
    let mut durations = Vec::new();
    for _ in 0..ATTEMPTS {
        let running = run.start(&["--workers", "1"], &log);
        wait_until("the group assigns partitions", || {
            read_log(&log).contains("the consumer group assigned partitions")
        });
        let assigned_at = Instant::now();
        wait_until("all partitions are open", || opened() == 32);
        let duration = assigned_at.elapsed();
        println!("32 partitions were opened {:.2} s after their assignment", duration.as_secs_f64());
        // The first start finds no checkpoints.
        if read_log(&log).matches("restored").count() >= 32 {
            durations.push(duration);
        }
        running.stop(&log);
    }
    let fastest = durations.iter().min().expect("restored from checkpoints");
    assert!(*fastest <= MAX_RESTORE_DURATION, "{durations:?}");
}

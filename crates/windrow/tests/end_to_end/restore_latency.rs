//! Many partitions of one worker, restored from an S3 with a long latency.

use std::time::{Duration, Instant};
use windrow_test_support::wait_until;

use crate::support::gate::TcpGate;
use crate::support::kafka::kafka_or_skip;
use crate::support::redis::Redis;
use crate::support::s3::{TestS3, s3_or_skip};
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, set_s3_environment, telling_pipeline};
use crate::topic::{count_opened_partitions, read_log};

const PARTITIONS: i32 = 32;
/// What the gate adds to each request in the measurement.
const USUAL_LATENCY: Duration = Duration::from_millis(20);
/// A latency beside which the work of a busy machine is short.
const LONG_LATENCY: Duration = Duration::from_millis(200);
/// Eight partitions open at once, each with one request after another. If they opened one by one, the requests of a
/// partition, of the checkpoint thread, of the probe and of the reports to other instances would be four at most.
const FEWEST_REQUESTS_AT_ONCE: u64 = 6;

/// What it took to open all partitions.
struct RestoreCost {
    /// The time from the assignment of the partitions until all are open.
    duration: Duration,
    /// The requests that the store got meanwhile, also those of other threads of the job.
    requests_per_partition: f64,
    requests_at_once: u64,
}

impl RestoreCost {
    fn print(&self, what: &str) {
        let Self { duration, requests_per_partition, requests_at_once } = self;
        println!(
            "32 partitions {what}: {:.2} s, {requests_per_partition:.1} requests each, {requests_at_once} at once",
            duration.as_secs_f64()
        );
    }
}

/// Starts a job that restores all partitions from S3 through `gate`, and stops it when each has a checkpoint.
fn measure_restore(run: &TestJob, gate: &TcpGate) -> RestoreCost {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut running = run.start(&["--workers", "1", "--verbose"], &log);
    wait_until("the group assigns partitions", || read_log(&log).contains("the consumer group assigned partitions"));
    let (assigned_at, requests_before) = (Instant::now(), gate.request_count());
    wait_until("all partitions are open", || count_opened_partitions(&log) == 32);
    let duration = assigned_at.elapsed();
    let requests_at_once = gate.most_waiting_requests();
    let requests_per_partition = (gate.request_count() - requests_before) as f64 / f64::from(PARTITIONS);
    let has_checkpoint = |partition: i32| {
        let place = format!("partition={partition} ");
        let log = read_log(&log);
        let mut of_partition = log.lines().filter(|line| line.contains(&place));
        of_partition.any(|line| line.contains("checkpoint complete") || line.contains("restored from a checkpoint"))
    };
    wait_until("each partition has a checkpoint", || (0..PARTITIONS).all(has_checkpoint));
    // With such a latency, the last checkpoints may not complete in time.
    running.send_signal("-TERM");
    running.wait_for_exit();
    RestoreCost { duration, requests_per_partition, requests_at_once }
}

#[test]
fn partitions_of_a_worker_are_restored_side_by_side() {
    let kafka = kafka_or_skip!();
    let s3 = s3_or_skip!();
    let (redis, topic) = (Redis::start(), kafka.create_unique_topic(PARTITIONS, &[]));
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("checkpoint.store={}", TestS3::generate_unique_place()));
    kafka.produce(&topic, &generate_events(5_000, read_or_create_seed()));
    let with_latency = |latency| {
        let gate = TcpGate::start_with_delay(s3.port, latency);
        let mut delayed = run.with_own_environment();
        set_s3_environment(&mut delayed, &gate.http_url());
        measure_restore(&delayed, &gate)
    };
    with_latency(USUAL_LATENCY).print("without checkpoints, 20 ms per call");
    with_latency(USUAL_LATENCY).print("restored, 20 ms per call");
    let restored = with_latency(LONG_LATENCY);
    restored.print("restored, 200 ms per call");
    assert!(restored.requests_at_once >= FEWEST_REQUESTS_AT_ONCE, "{} at once", restored.requests_at_once);
}

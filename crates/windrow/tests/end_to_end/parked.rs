//! One partition has a fault of its own. It is parked, the other partitions continue, and it continues after the repair.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use windrow_test_support::{free_port, wait_until};

use crate::folder_files::read_files;
use crate::support::expected::{closing_events, partition_payloads, replay_expected_rows};
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::{await_same_rows, last_row_per_key, rows_match};
use crate::support::s3::s3_or_skip;
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, run_replay, set_s3_environment, shipped_pipeline, telling_pipeline};
use crate::topic::{count_opened_partitions, read_log, user_events};
use crate::web::send_request;

/// The beginning of the log line about a parked partition.
const PARKED: &str = "partition parked because of a fault";

/// A job over a topic of two partitions, with its log and a Redis of its own.
struct TwoPartitionJob {
    redis: Redis,
    topic: String,
    run: TestJob,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl TwoPartitionJob {
    fn start_services(kafka: &TestKafka, pipeline: PathBuf) -> Self {
        let (redis, topic) = (Redis::start(), kafka.create_unique_topic(2, &[]));
        let folder = tempfile::tempdir().expect("a folder");
        let run = TestJob::with_pipeline(pipeline, &kafka.brokers, &redis.url(), &topic);
        Self { redis, topic, run, log: folder.path().join("log"), _folder: folder }
    }
}

/// Returns the manifests of `partition` with their content.
fn read_manifests(state: &Path, partition: i32) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = format!("/partition-{partition}/checkpoint/");
    read_files(state).into_iter().filter(|(path, _)| path.to_string_lossy().contains(&folder)).collect()
}

/// Returns the rows that the records of `partition` produce, except those of the closing event.
fn expected_rows_of_partition(kafka: &TestKafka, topic: &str, partition: i32) -> RowsByKey {
    let replayed = run_replay(&telling_pipeline(), &partition_payloads(kafka, topic, partition));
    let mut rows = last_row_per_key(replayed.lines());
    rows.retain(|key, _| !key.contains(":closing"));
    rows
}

fn get_json(port: u16, path: &str) -> Value {
    let answer = send_request(port, "GET", path, "");
    answer.and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or(Value::Null)
}

/// Waits until Redis has the rows of `partition`.
fn await_rows_of_partition(kafka: &TestKafka, topic: &str, partition: i32, redis: &Redis) {
    let expected = expected_rows_of_partition(kafka, topic, partition);
    assert!(!expected.is_empty());
    wait_until("the rows of the other partition", || {
        let found = redis.read_rows();
        expected.iter().all(|(key, row)| found.get(key).is_some_and(|found| rows_match(row, found)))
    });
}

#[test]
fn a_partition_with_damaged_checkpoints_is_parked_until_they_are_repaired() {
    let kafka = kafka_or_skip!();
    let job = TwoPartitionJob::start_services(&kafka, telling_pipeline());
    let TwoPartitionJob { redis, topic, run, log, .. } = &job;
    let events = generate_events(4_000, read_or_create_seed());
    let running = run.start(&["--workers", "1"], log);
    kafka.produce(topic, &events[..3_000]);
    wait_until("the first part is in a checkpoint", || {
        kafka.committed_offsets(&run.group, topic, 2).iter().sum::<i64>() == 3_000
    });
    running.stop(log);
    let manifests = read_manifests(run.state.path(), 0);
    assert!(!manifests.is_empty());
    for (path, _) in &manifests {
        std::fs::write(path, "damaged").expect("written");
    }

    // A bounded job may fire the windows of partition 1 before it halts, so it gets a store and a Redis of its own.
    let (other_redis, other_state) = (Redis::start(), tempfile::tempdir().expect("a folder"));
    let copied = Command::new("cp").arg("-a").arg(run.state.path().join(".")).arg(other_state.path()).status();
    assert!(copied.expect("cp runs").success());
    let bounded = [
        "--bounded".to_owned(),
        format!("--set=sink.redis.url={}", other_redis.url()),
        format!("--set=checkpoint.store=file:{}", other_state.path().display()),
    ];
    for arguments in [&bounded.each_ref().map(String::as_str)[..], &["--set", "source.kafka.on_partition_fault=halt"]] {
        let output = run.run_to_end(arguments);
        assert_eq!(output.status.code(), Some(16), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    let port = free_port();
    let running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], log);
    kafka.produce(topic, &events[3_000..]);
    kafka.produce(topic, &closing_events(2));
    await_rows_of_partition(&kafka, topic, 1, redis);
    wait_until("the pages show the parked partition", || {
        get_json(port, "/api/partitions")["partitions"][0]["parked"]["fault"].is_string()
    });
    let partition = &get_json(port, "/api/partitions")["partitions"][0];
    assert_eq!((&partition["partition"], &partition["instance"]), (&Value::from(0), &Value::Null), "{partition}");
    let overview = get_json(port, "/api/overview");
    let items = overview["attention"].as_array().expect("a list");
    let item =
        items.iter().find(|item| item["level"] == "act" && item["what"].as_str().is_some_and(is_about_partition_0));
    let remedy = item.unwrap_or_else(|| panic!("{overview}"))["todo"].as_str().expect("a text");
    assert!(remedy.contains("Restore the folder from a backup") && remedy.contains("The next attempt"), "{remedy}");
    assert_eq!(overview["job"]["state"], "degraded", "{overview}");
    let metrics = send_request(port, "GET", "/metrics", "").expect("metrics").1;
    assert!(metrics.contains("windrow_partition_parked{partition=\"0\"} 1"), "{metrics}");
    let savepoint = run.pipeline_command(&["savepoint"], &[]).output().expect("windrow runs");
    let refusal = String::from_utf8_lossy(&savepoint.stderr).into_owned();
    assert_eq!(savepoint.status.code(), Some(17), "{refusal}");
    assert!(refusal.contains("the savepoint was not taken: partition 0 is parked because of a fault"), "{refusal}");

    for (path, bytes) in manifests {
        std::fs::write(path, bytes).expect("written");
    }
    let expected = replay_expected_rows(&kafka, topic, 2, &telling_pipeline());
    await_same_rows(&expected.contents, redis, "after the repair");
    wait_until("no partition is parked", || get_json(port, "/api/partitions")["partitions"][0]["instance"].is_string());
    running.stop(log);
    let log = read_log(log);
    assert_eq!(log.matches(PARKED).count(), 1, "{log}");
    assert_eq!(log.matches("the fault of the parked partition is resolved").count(), 1, "{log}");
}

fn is_about_partition_0(problem: &str) -> bool {
    problem.starts_with("Partition 0 is parked and not read: no checkpoint of partition 0 in")
}

/// A fault of the store that concerns every partition is no fault of one partition, however many workers share them.
#[test]
fn a_store_that_can_open_no_partition_halts_the_job() {
    let kafka = kafka_or_skip!();
    let mut job = TwoPartitionJob::start_services(&kafka, shipped_pipeline());
    let TwoPartitionJob { topic, run, log, .. } = &mut job;
    kafka.produce(topic, &user_events(0, 10));
    kafka.produce(topic, &user_events(1, 10));
    run.run_bounded(&[]);
    let assert_halts = |run: &TestJob, code: i32, fault: &str| {
        let exit_code = run.start(&["--workers", "2"], log).wait_for_exit();
        assert_eq!(exit_code, Some(code), "{}", read_log(log));
        assert!(read_log(log).contains(fault), "{}", read_log(log));
    };

    for entry in std::fs::read_dir(run.state.path()).expect("a folder") {
        std::fs::remove_dir_all(entry.expect("an entry").path()).expect("removed");
    }
    assert_halts(run, 16, "holds no checkpoint of this partition");
    let s3 = s3_or_skip!();
    set_s3_environment(run, &s3.url);
    run.set_override(&format!("checkpoint.store=s3://{}/state", TestKafka::generate_unique_name("missing")));
    assert_halts(run, 17, "the checkpoint store");
}

/// Retention deletes records of one partition before the job has read them.
#[test]
fn a_partition_whose_offset_is_lost_is_parked() {
    let kafka = kafka_or_skip!();
    let job = TwoPartitionJob::start_services(&kafka, shipped_pipeline());
    let TwoPartitionJob { topic, run, log, .. } = &job;
    kafka.produce(topic, &user_events(0, 10));
    kafka.produce(topic, &user_events(1, 10));
    run.run_bounded(&[]);
    kafka.produce(topic, &user_events(0, 20));
    kafka.delete_records_before(topic, 0, 25);

    let running = run.start(&["--workers", "1"], log);
    kafka.produce(topic, &user_events(1, 20));
    wait_until("the other partition continues", || kafka.committed_offsets(&run.group, topic, 2) == [10, 30]);
    wait_until("the partition is parked", || read_log(log).contains(PARKED));
    assert!(read_log(log).contains("no longer holds offset 10, at which reading continues"), "{}", read_log(log));
    running.stop(log);
    assert_eq!(read_log(log).matches(PARKED).count(), 1, "{}", read_log(log));
    assert_eq!(kafka.committed_offsets(&run.group, topic, 2), [10, 30], "the parked partition stays as it is");

    let running = run.start(&["--set", "source.kafka.on_lost_offset=earliest"], log);
    wait_until("the partition continues", || kafka.committed_offsets(&run.group, topic, 2) == [30, 30]);
    running.stop(log);
}

/// Retention deletes records that a running job has not read yet. Its last complete checkpoint is old by then.
#[test]
fn a_running_partition_whose_next_records_are_deleted_is_parked_after_a_last_checkpoint() {
    let kafka = kafka_or_skip!();
    let job = TwoPartitionJob::start_services(&kafka, shipped_pipeline());
    let TwoPartitionJob { topic, run, log, .. } = &job;
    let running = run.start(&["--workers", "1", "--set", "checkpoint.every=1h"], log);
    wait_until("the partitions are open", || count_opened_partitions(log) == 2);
    kafka.produce(topic, &user_events(0, 20));
    let has_read_records = || ["records=20 ", "records=\"20\""].iter().any(|count| read_log(log).contains(count));
    wait_until("the job has read the records", has_read_records);
    running.send_signal("-STOP");
    // A fetch that waits at the broker still returns the first records.
    kafka.produce(topic, &user_events(0, 1));
    kafka.produce(topic, &user_events(0, 20));
    kafka.delete_records_before(topic, 0, 41);
    running.send_signal("-CONT");
    wait_until("the partition is parked", || read_log(log).contains(PARKED));
    let committed = kafka.committed_offsets(&run.group, topic, 2)[0];
    let fault = format!("no longer holds offset {committed}, at which reading continues");
    assert!((20..41).contains(&committed) && read_log(log).contains(&fault), "{committed}: {}", read_log(log));
    running.stop(log);
}

/// Redis loses its rows, so all partitions go back to their checkpoints while the job runs. Those of one partition are
/// damaged. The worker was reading this partition, and reads it again after the repair.
#[test]
fn a_partition_that_cannot_go_back_while_the_job_runs_is_parked() {
    let kafka = kafka_or_skip!();
    let job = TwoPartitionJob::start_services(&kafka, telling_pipeline());
    let TwoPartitionJob { redis, topic, run, log, .. } = &job;
    let events = generate_events(4_000, read_or_create_seed());
    let running = run.start(&["--workers", "1"], log);
    kafka.produce(topic, &events[..2_000]);
    wait_until("the first part is in a checkpoint", || {
        kafka.committed_offsets(&run.group, topic, 2).iter().sum::<i64>() == 2_000
    });
    running.stop(log);

    let running = run.start(&["--workers", "1", "--set", "checkpoint.every=1h"], log);
    kafka.produce(topic, &events[2_000..3_000]);
    wait_until("the job has read the second part", || read_log(log).contains("records=\"1,000\""));
    let manifests = read_manifests(run.state.path(), 0);
    for (path, _) in &manifests {
        std::fs::write(path, "damaged").expect("written");
    }
    redis.flush_all();
    kafka.produce(topic, &events[3_000..]);
    kafka.produce(topic, &closing_events(2));
    wait_until("the partition is parked", || read_log(log).contains(PARKED));
    // All events are in the window of the tally, which closes last.
    let await_tallies = |partition| {
        let mut expected = expected_rows_of_partition(&kafka, topic, partition);
        expected.retain(|key, _| key.starts_with("tally:"));
        assert!(!expected.is_empty());
        wait_until("the tallies of the partition", || {
            let found = redis.read_rows();
            expected.iter().all(|(key, row)| found.get(key).is_some_and(|found| rows_match(row, found)))
        });
    };
    await_tallies(1);
    for (path, bytes) in manifests {
        std::fs::write(path, bytes).expect("written");
    }
    await_tallies(0);
    running.stop(log);
}

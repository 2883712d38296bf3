//! `windrow run`, stopped and started again: it resumes where it stopped, or halts with a reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use windrow_test_support::wait_until;

use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::rows::await_same_rows;
use crate::support::windrow::{STOP_GRACE_PERIOD, TestJob, shipped_pipeline};
use crate::topic::read_log;

const PARTITIONS: i32 = 2;

/// Returns `count` views of one user in each partition, one per minute, the first `minute` minutes after ten.
fn view_events(minute: usize, count: usize) -> Vec<OutgoingRecord> {
    let view = |partition: i32, minute: usize| {
        let user = format!("{partition}7");
        let payload = format!(
            r#"{{"event_time":"2024-01-01T10:{minute:02}:00","event_type":"view","user_id":"{user}","price":2}}"#
        );
        OutgoingRecord {
            partition: Some(partition),
            key: Some(user.into_bytes()),
            payload: Some(payload.into_bytes()),
            ..OutgoingRecord::default()
        }
    };
    (minute..minute + count).flat_map(|minute| (0..PARTITIONS).map(move |partition| view(partition, minute))).collect()
}

/// A job that ran twice and stopped cleanly. Its state holds 20 events per partition, all in open windows or just outside
/// of them.
struct StoppedJob {
    kafka: TestKafka,
    redis: Redis,
    topic: String,
    run: TestJob,
    folder: tempfile::TempDir,
}

impl StoppedJob {
    fn new(kafka: TestKafka) -> Self {
        let redis = Redis::start();
        let topic = kafka.create_unique_topic(PARTITIONS, &[]);
        let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
        let stopped = Self { kafka, redis, topic, run, folder: tempfile::tempdir().expect("a folder") };
        stopped.run_until_committed(&[], &view_events(1, 10), 10);
        stopped.run_until_committed(&[], &view_events(11, 10), 20);
        stopped
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Runs until offset `end` is committed in all partitions, stops within seconds, and returns the log.
    fn run_until_committed(&self, arguments: &[&str], events: &[OutgoingRecord], end: i64) -> String {
        self.kafka.produce(&self.topic, events);
        let running = self.run.start(&[&["--workers", "2"], arguments].concat(), &self.log_path());
        let committed = || self.kafka.committed_offsets(&self.run.group, &self.topic, PARTITIONS);
        wait_until("everything is committed", || committed().iter().all(|offset| *offset == end));
        let asked = Instant::now();
        running.stop(&self.log_path());
        assert!(asked.elapsed() < STOP_GRACE_PERIOD, "{:?}", asked.elapsed());
        read_log(&self.log_path())
    }

    /// Closes all windows and asserts that Redis holds the rows of one uninterrupted run.
    fn assert_rows_as_of_one_run(&self, arguments: &[&str]) -> String {
        let end = i64::try_from(self.kafka.read_partition(&self.topic, 0).len()).expect("small") + 1;
        let log_text = self.run_until_committed(arguments, &closing_events(PARTITIONS), end);
        let expected = replay_expected_rows(&self.kafka, &self.topic, PARTITIONS, &shipped_pipeline());
        await_same_rows(&expected.contents, &self.redis, &log_text);
        log_text
    }

    /// Asserts that the job halts with this exit code and that its log contains all of `parts`.
    fn assert_halts(&self, code: i32, parts: &[&str]) {
        let mut running = self.run.start(&["--workers", "2"], &self.log_path());
        let ended = running.wait_for_exit();
        let log_text = read_log(&self.log_path());
        assert_eq!(ended, Some(code), "{log_text}");
        for part in parts {
            assert!(log_text.contains(part), "it should say {part:?}:\n{log_text}");
        }
    }

    /// Lists the files of one kind of a partition, oldest first.
    fn checkpoint_files(&self, partition: i32, kind: &str) -> Vec<PathBuf> {
        let folder = self.run.state.path().join("ecommerce").join(&self.run.group);
        let folder = folder.join(format!("partition-{partition}")).join(kind);
        let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    }
}

/// Flips one bit of a file.
fn flip_bit(file: &Path) {
    let mut bytes = fs::read(file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(file, bytes).expect("writable");
}

/// A window that spans two stops counts all its events.
#[test]
fn windows_go_on_after_a_stop() {
    let stopped = StoppedJob::new(kafka_or_skip!());
    let log_text = stopped.run_until_committed(&[], &view_events(21, 10), 30);
    assert_eq!(log_text.matches("INFO partition restored from a checkpoint partition=").count(), 2, "{log_text}");
    assert!(!log_text.contains("WARN") && !log_text.contains("ERROR"), "{log_text}");
    let log_text = stopped.assert_rows_as_of_one_run(&[]);
    assert!(log_text.contains("all workers ended records=\"2\""), "{log_text}");
    // The window from 10:00 holds the events of 10:01 to 10:30.
    let row = &stopped.redis.read_rows()["session_features:07:1704103260000"];
    assert_eq!(row["event_count"], "30");
}

#[test]
fn a_checkpoint_behind_retention_halts_the_job() {
    let mut stopped = StoppedJob::new(kafka_or_skip!());
    let (of_partition_0, of_partition_1): (Vec<_>, Vec<_>) =
        view_events(21, 10).into_iter().partition(|event| event.partition == Some(0));
    // Only these, because the job could process records of partition 0 before partition 1 halts it.
    stopped.kafka.produce(&stopped.topic, &of_partition_1);
    stopped.kafka.delete_records_before(&stopped.topic, 1, 25);
    stopped.run.set_override("source.kafka.on_partition_fault=halt");
    stopped.assert_halts(
        10,
        &[
            "partition 1 of topic",
            "no longer holds offset 20, at which reading continues",
            "`source.kafka.on_lost_offset",
        ],
    );
    stopped.run.set_override("source.kafka.on_lost_offset=earliest");
    let log_text = stopped.run_until_committed(&[], &of_partition_0, 30);
    assert!(log_text.contains("reading continues at offset 25"), "{log_text}");
    assert!(log_text.contains("all workers ended records=\"15\""), "{log_text}");
}

#[test]
fn a_topic_created_again_during_a_stop_halts_the_job() {
    let stopped = StoppedJob::new(kafka_or_skip!());
    stopped.kafka.delete_topic(&stopped.topic);
    std::thread::sleep(Duration::from_millis(500));
    stopped.kafka.create_named_topic(&stopped.topic, PARTITIONS, &[]);
    // There are as many records as before, so offsets alone do not show the difference.
    stopped.kafka.produce(&stopped.topic, &view_events(1, 30));
    stopped.assert_halts(11, &["was deleted and created again since checkpoint", "another `source.kafka.group`"]);
}

#[test]
fn partitions_added_during_a_stop_halt_the_job() {
    let stopped = StoppedJob::new(kafka_or_skip!());
    stopped.kafka.increase_partitions_to(&stopped.topic, 3);
    stopped.assert_halts(12, &["has 3 partitions, but had 2 at checkpoint", "--accept-partitions"]);
    let log_text = stopped.run_until_committed(&["--accept-partitions"], &view_events(21, 10), 30);
    // The group may move a partition from one worker to the other, so only the first opening of each counts.
    for (partition, beginning) in
        [(0, "restored from a checkpoint"), (1, "restored from a checkpoint"), (2, "because it has no checkpoint")]
    {
        let place = format!(" partition={partition} epoch=");
        let first_opening = log_text.lines().find(|line| line.contains(&place));
        assert!(first_opening.is_some_and(|line| line.contains(beginning)), "partition {partition}: {log_text}");
    }
    // The number of partitions has been accepted and stored.
    let log_text = stopped.assert_rows_as_of_one_run(&[]);
    assert!(log_text.contains("all workers ended records=\"2\""), "{log_text}");
}

#[test]
fn a_changed_view_halts_the_job() {
    let mut stopped = StoppedJob::new(kafka_or_skip!());
    stopped.run.set_override("feature_view.session_features.window.session.gap=\"5m\"");
    stopped.assert_halts(
        14,
        &["`session_features` was", "The state of these views is kept: user_features", "--drop-state session_features"],
    );
    let log_text = stopped.run_until_committed(&["--drop-state", "session_features"], &view_events(21, 1), 21);
    assert!(log_text.contains("dropping the stored state of this feature view, as permitted"), "{log_text}");
    // The other view's window has all its events.
    stopped.run_until_committed(&[], &closing_events(PARTITIONS), 22);
    let contents = stopped.redis.read_rows();
    let sessions = |key: &&String| key.starts_with("session_features:07:");
    assert_eq!(contents.keys().filter(sessions).collect::<Vec<_>>(), ["session_features:07:1704104460000"]);
    assert_eq!(contents["session_features:07:1704104460000"]["event_count"], "1");
    // The last row is of 10:20 to 11:20. The row of 10:00 to 11:00 would have the value 21.
    assert_eq!(contents["user_features:07"]["view_count_1h"], "2");
}

/// Damages one partition's newest manifest and the other's newest state object.
#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_used() {
    let stopped = StoppedJob::new(kafka_or_skip!());
    for (partition, kind) in [(0, "checkpoint"), (1, "state")] {
        let files = stopped.checkpoint_files(partition, kind);
        flip_bit(files.last().expect("a file"));
    }
    let log_text = stopped.assert_rows_as_of_one_run(&[]);
    assert_eq!(
        log_text.matches("a checkpoint cannot be read; using the checkpoint before it").count(),
        2,
        "{log_text}"
    );
    assert_eq!(log_text.matches("INFO partition restored from a checkpoint partition=").count(), 2, "{log_text}");
}

#[test]
fn without_any_good_checkpoint_the_job_halts() {
    let mut stopped = StoppedJob::new(kafka_or_skip!());
    stopped.checkpoint_files(1, "checkpoint").iter().for_each(|file| flip_bit(file));
    let before: Vec<_> = (0..PARTITIONS).map(|partition| stopped.checkpoint_files(partition, "checkpoint")).collect();
    stopped.run.set_override("source.kafka.on_partition_fault=halt");
    stopped.assert_halts(16, &["no checkpoint of partition 1 in", "can be read", "Nothing was changed", "--from"]);
    let after: Vec<_> = (0..PARTITIONS).map(|partition| stopped.checkpoint_files(partition, "checkpoint")).collect();
    assert_eq!(before[1], after[1]);
}

//! Savepoints of a running job: taken by all processes under load, moved to another folder, and restored.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use windrow_test_support::wait_until;

use crate::folder_files::read_files;
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip, key_events_by_user};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::{assert_same_rows, last_row_per_key};
use crate::support::windrow::{TestJob, run_generate, run_replay, run_state_command, shipped_pipeline};

const PARTITIONS: i32 = 4;
/// An event time that closes all windows of the generated events.
const CLOSING_TIME: &str = "2024-01-02T12:00:00";

fn closing_events() -> Vec<OutgoingRecord> {
    let payload = format!(r#"{{"event_time":"{CLOSING_TIME}","event_type":"view","user_id":"closing"}}"#);
    let event = |partition| OutgoingRecord {
        partition: Some(partition),
        key: Some(b"closing".to_vec()),
        payload: Some(payload.clone().into_bytes()),
        ..OutgoingRecord::default()
    };
    (0..PARTITIONS).map(event).collect()
}

fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout_json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr_text(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Returns the rows that an uninterrupted run writes after these watermarks, except those of the closing events.
fn expected_rows_behind(kafka: &TestKafka, topic: &str, behind: &BTreeMap<i32, i64>) -> RowsByKey {
    let mut expected = RowsByKey::new();
    for partition in 0..PARTITIONS {
        let lines: Vec<_> = kafka
            .read_partition(topic, partition)
            .into_iter()
            .map(|record| record.payload.unwrap_or_default())
            .collect();
        let rows = run_replay(&shipped_pipeline(), &lines);
        let fires_behind = |line: &&str| {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            row["window_end"].as_i64().is_some_and(|end| end - 1 > behind.get(&partition).copied().unwrap_or(i64::MIN))
        };
        expected.extend(last_row_per_key(rows.lines().filter(fires_behind)));
    }
    expected.retain(|key, _| !key.contains(":closing"));
    expected
}

fn total_committed(kafka: &TestKafka, run: &TestJob, topic: &str) -> i64 {
    kafka.committed_offsets(&run.group, topic, PARTITIONS).iter().filter(|offset| **offset > 0).sum()
}

#[test]
fn a_savepoint_under_load_is_a_beginning_for_another_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let seed = std::process::id().to_string();
    println!("seed {seed}");
    let events =
        run_generate(&["--count", "30000", "--users", "400", "--backlog", "4h", "--disorder", "9s", "--seed", &seed]);
    let events: Vec<String> = events.into_iter().map(|line| String::from_utf8(line).expect("text")).collect();
    let all = i64::try_from(events.len()).expect("small") + i64::from(PARTITIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let logs = [folder.path().join("first"), folder.path().join("second")];
    let mut running = logs.each_ref().map(|log| run.start(&["--workers", "1"], log));
    for log in &logs {
        wait_until("each has its share", || {
            std::fs::read_to_string(log).is_ok_and(|log| log.contains("reading partitions"))
        });
    }

    let (moved, watermarks) = std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in events.chunks(1_000) {
                kafka.produce(&topic, &key_events_by_user(piece, None));
                std::thread::sleep(Duration::from_millis(100));
            }
            kafka.produce(&topic, &closing_events());
        });
        wait_until("a third is read", || total_committed(&kafka, &run, &topic) > all / 3);

        // The command runs in another working directory with a relative path.
        let asking = |arguments: &[&str]| {
            run.pipeline_command(&["savepoint"], arguments).current_dir(folder.path()).output().expect("windrow runs")
        };
        let taken = asking(&["--to", "saved"]);
        assert!(taken.status.success(), "{}", stderr_text(&taken));
        let location = String::from_utf8(taken.stdout).expect("a line").trim_end().to_owned();
        let path = PathBuf::from(location.strip_prefix("file:").expect("a folder"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(
            path.starts_with(folder.path().join("saved")) && name.starts_with("savepoint-ecommerce-20"),
            "{location}"
        );
        let before = read_files(&path);
        for log in &logs {
            let log = std::fs::read_to_string(log).expect("a log");
            assert!(log.contains("partition saved in the savepoint partition="), "both took part:\n{log}");
        }

        // Without a target it is beside the checkpoints. The folder of a running job is complete at any time.
        let second = stdout_json(&asking(&["--json"]));
        assert_eq!(second["partitions"], PARTITIONS, "{second}");
        let listed =
            stdout_json(&run.pipeline_command(&["state", "list"], &["--json"]).output().expect("windrow runs"));
        let savepoint = &listed["savepoints"][0];
        assert_eq!((&savepoint["location"], &savepoint["complete"]), (&second["location"], &true.into()), "{listed}");
        let place = listed["place"].as_str().expect("a place").to_owned();
        for _ in 0..5 {
            let verified = run_state_command(&["verify", &place]);
            assert!(
                verified.status.success(),
                "{}{}",
                String::from_utf8_lossy(&verified.stdout),
                stderr_text(&verified)
            );
        }

        let moved = folder.path().join("elsewhere");
        assert_eq!(read_files(&path), before, "a complete savepoint does not change");
        std::fs::rename(&path, &moved).expect("moved");
        let shown = stdout_json(&run_state_command(&["show", &moved.display().to_string(), "--json"]));
        let watermarks: BTreeMap<i32, i64> = shown["partitions"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|found| {
                Some((i32::try_from(found["partition"].as_i64()?).ok()?, found["watermark_ms"].as_i64()?))
            })
            .collect();
        assert_eq!(watermarks.len(), usize::try_from(PARTITIONS).expect("small"), "{shown}");
        (moved, watermarks)
    });
    let verified = run_state_command(&["verify", &moved.display().to_string()]);
    assert!(verified.status.success(), "{}", stderr_text(&verified));

    // The job itself continues.
    wait_until("everything is committed", || total_committed(&kafka, &run, &topic) == all);
    assert_same_rows(&expected_rows_behind(&kafka, &topic, &BTreeMap::new()), &redis.read_rows(), "the job itself");
    for running in &mut running {
        running.send_signal("-TERM");
        assert_eq!(running.wait_for_exit(), Some(0));
    }
    let unanswered = run.pipeline_command(&["savepoint"], &["--timeout", "2s"]).output().expect("windrow runs");
    assert_eq!(unanswered.status.code(), Some(6), "{}", stderr_text(&unanswered));
    assert!(
        stderr_text(&unanswered).contains("Check that the pipeline runs with this group"),
        "{}",
        stderr_text(&unanswered)
    );

    // Another job with an empty Redis restores from it.
    let kept = read_files(&moved);
    let (empty, from, log) = (Redis::start(), moved.display().to_string(), folder.path().join("other"));
    let other = TestJob::new(&kafka.brokers, &empty.url(), &topic);
    let mut begun = other.start(&["--workers", "2", "--from", &from], &log);
    wait_until("everything is committed again", || total_committed(&kafka, &other, &topic) == all);
    let expected = expected_rows_behind(&kafka, &topic, &watermarks);
    assert!(expected.len() > 100, "{} rows show little", expected.len());
    assert_same_rows(&expected, &empty.read_rows(), "begun from a savepoint");
    begun.send_signal("-TERM");
    assert_eq!(begun.wait_for_exit(), Some(0));

    // The same command again resumes from the job's own checkpoints.
    let log = other.run_bounded(&["--from", &from]);
    assert!(log.contains("all workers ended records=\"0\""), "{log}");
    assert_eq!(read_files(&moved), kept, "a savepoint that was begun from is as it was");
}

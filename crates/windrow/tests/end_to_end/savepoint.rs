//! Savepoints of a running job: taken by all its processes under load, moved elsewhere, begun from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::support::eventually;
use crate::support::kafka::{Kafka, Sent, kafka_or_skip, keyed_by_user};
use crate::support::redis::{Contents, Redis};
use crate::support::rows::{assert_same, last_per_key};
use crate::support::windrow::{Run, generate, replay, shipped, state};

const PARTITIONS: i32 = 4;
/// Far behind the generator's present, so that it closes every window.
const CLOSING: &str = "2024-01-02T12:00:00";

fn closing_events() -> Vec<Sent> {
    let payload = format!(r#"{{"event_time":"{CLOSING}","event_type":"view","user_id":"closing"}}"#);
    let event = |partition| Sent {
        partition: Some(partition),
        key: Some(b"closing".to_vec()),
        payload: Some(payload.clone().into_bytes()),
    };
    (0..PARTITIONS).map(event).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What an uninterrupted run leaves of the windows that fire behind these watermarks, but for the closing events' own.
fn expected(kafka: &Kafka, topic: &str, behind: &BTreeMap<i32, i64>) -> Contents {
    let mut expected = Contents::new();
    for partition in 0..PARTITIONS {
        let lines: Vec<_> =
            kafka.read(topic, partition).into_iter().map(|record| record.payload.unwrap_or_default()).collect();
        let rows = replay(&shipped(), &lines);
        let fires_behind = |line: &&str| {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            row["window_end"].as_i64().is_some_and(|end| end - 1 > behind.get(&partition).copied().unwrap_or(i64::MIN))
        };
        expected.extend(last_per_key(rows.lines().filter(fires_behind)));
    }
    expected.retain(|key, _| !key.contains(":closing"));
    expected
}

fn files(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files(&entry, into);
        } else {
            into.insert(entry.clone(), std::fs::read(&entry).expect("readable"));
        }
    }
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(folder, &mut found);
    found
}

fn committed(kafka: &Kafka, run: &Run, topic: &str) -> i64 {
    kafka.committed(&run.group, topic, PARTITIONS).iter().filter(|offset| **offset > 0).sum()
}

#[test]
fn a_savepoint_under_load_is_a_beginning_for_another_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_topic(PARTITIONS, &[]);
    let seed = std::process::id().to_string();
    println!("seed {seed}");
    let events =
        generate(&["--count", "30000", "--users", "400", "--backlog", "4h", "--disorder", "9s", "--seed", &seed]);
    let events: Vec<String> = events.into_iter().map(|line| String::from_utf8(line).expect("text")).collect();
    let all = i64::try_from(events.len()).expect("small") + i64::from(PARTITIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::new(&kafka.brokers, &redis.url(), &topic);
    let logs = [folder.path().join("first"), folder.path().join("second")];
    let mut running = logs.each_ref().map(|log| run.start(&["--workers", "1"], log));
    for log in &logs {
        eventually(40, "each has its share", || {
            std::fs::read_to_string(log).is_ok_and(|log| log.contains("reading partitions"))
        });
    }

    let (moved, watermarks) = std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in events.chunks(1_000) {
                kafka.produce(&topic, &keyed_by_user(piece, None));
                std::thread::sleep(Duration::from_millis(100));
            }
            kafka.produce(&topic, &closing_events());
        });
        eventually(40, "a third is read", || committed(&kafka, &run, &topic) > all / 3);

        // Asked for from somewhere else, by a relative path.
        let asking = |arguments: &[&str]| {
            run.other_command(&["savepoint"], arguments).current_dir(folder.path()).output().expect("windrow runs")
        };
        let taken = asking(&["--to", "saved"]);
        assert!(taken.status.success(), "{}", said(&taken));
        let location = String::from_utf8(taken.stdout).expect("a line").trim_end().to_owned();
        let path = PathBuf::from(location.strip_prefix("file:").expect("a folder"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(
            path.starts_with(folder.path().join("saved")) && name.starts_with("savepoint-ecommerce-20"),
            "{location}"
        );
        let before = contents(&path);
        for log in &logs {
            let log = std::fs::read_to_string(log).expect("a log");
            assert!(log.contains(" saved partition="), "both took part:\n{log}");
        }

        // In the default place; and what a job that runs has in its folder is whole at any time.
        let second = json(&asking(&["--json"]));
        assert_eq!(second["partitions"], PARTITIONS, "{second}");
        let listed = json(&run.other_command(&["state", "list"], &["--json"]).output().expect("windrow runs"));
        let savepoint = &listed["savepoints"][0];
        assert_eq!((&savepoint["location"], &savepoint["complete"]), (&second["location"], &true.into()), "{listed}");
        let place = listed["place"].as_str().expect("a place").to_owned();
        for _ in 0..5 {
            let verified = state(&["verify", &place]);
            assert!(verified.status.success(), "{}{}", String::from_utf8_lossy(&verified.stdout), said(&verified));
        }

        let moved = folder.path().join("elsewhere");
        assert_eq!(contents(&path), before, "nobody writes to it once it is whole");
        std::fs::rename(&path, &moved).expect("moved");
        let shown = json(&state(&["show", &moved.display().to_string(), "--json"]));
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
    let verified = state(&["verify", &moved.display().to_string()]);
    assert!(verified.status.success(), "{}", said(&verified));

    // The job itself goes on as if nothing had been.
    eventually(60, "everything is committed", || committed(&kafka, &run, &topic) == all);
    assert_same(&expected(&kafka, &topic, &BTreeMap::new()), &redis.contents(), "the job itself");
    for running in &mut running {
        running.signal("-TERM");
        assert_eq!(running.wait(Duration::from_secs(15)), Some(0));
    }
    let nobody = run.other_command(&["savepoint"], &["--timeout", "2s"]).output().expect("windrow runs");
    assert_eq!(nobody.status.code(), Some(6), "{}", said(&nobody));
    assert!(said(&nobody).contains("did not answer. Is the pipeline running"), "{}", said(&nobody));

    // Another job, with an empty Redis, begins from it.
    let kept = contents(&moved);
    let (empty, from, log) = (Redis::start(), moved.display().to_string(), folder.path().join("other"));
    let other = Run::new(&kafka.brokers, &empty.url(), &topic);
    let mut begun = other.start(&["--workers", "2", "--from", &from], &log);
    eventually(60, "everything is committed again", || committed(&kafka, &other, &topic) == all);
    let expected = expected(&kafka, &topic, &watermarks);
    assert!(expected.len() > 100, "{} rows show little", expected.len());
    assert_same(&expected, &empty.contents(), "begun from a savepoint");
    begun.signal("-TERM");
    assert_eq!(begun.wait(Duration::from_secs(15)), Some(0));

    // The same command again goes on, and does not go back.
    let log = other.bounded(&["--from", &from]);
    assert!(log.contains("all workers ended records=\"0\""), "{log}");
    assert_eq!(contents(&moved), kept, "a savepoint that was begun from is as it was");
}

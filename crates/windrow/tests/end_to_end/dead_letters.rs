//! Records that are not events are stored with their reason, and the job continues (fault rows 1, 2, 23).

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::kafka::{OutgoingRecord, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::TestJob;

/// Returns malformed records, each with a part of its reason.
fn malformed_records() -> Vec<(Option<Vec<u8>>, &'static str)> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let long_key = format!(r#"{{"user_id":"{}","event_time":0}}"#, "k".repeat(800_000));
    let long_value = format!(r#"{{"user_id":"u","event_time":0,"price":"{}"}}"#, "A".repeat(600_000));
    let deep = format!(r#"{{"user_id":"u","event_time":0,"price":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    vec![
        (None, "no value"),
        (text(""), "empty"),
        (text("not JSON"), "malformed JSON"),
        (text(r#"{"user_id":"u","event_time":"#), "malformed JSON"),
        (text(r#"{"user_id":"u","event_time":0,"price":"29,99"}"#), "`price` must be a number"),
        (text(r#"{"event_time":0}"#), "`user_id` is missing"),
        (text(r#"{"user_id":"u"}"#), "`event_time` is missing"),
        (text(r#"{"user_id":"u","event_time":0,"user_id":"v"}"#), "`user_id` occurs twice"),
        (text(r#"{"user_id":"u","event_time":NaN}"#), "malformed JSON"),
        (text(r#"{"user_id":"u","event_time":1e999}"#), "malformed JSON"),
        (text(r#"{"user_id":"u","event_time":1704103200000000}"#), "is not between"),
        (text(r#"{"user_id":"u","event_time":"soon"}"#), "is not an event time"),
        (Some(b"{\"user_id\":\"\xff\xfe\"}".to_vec()), "not UTF-8"),
        (text(&deep), "`price` must be a number"),
        (text(&long_key), "`max_key_bytes` allows 1024"),
        (text(&long_value), "`price` must be a number"),
    ]
}

fn good_and_malformed_records() -> Vec<OutgoingRecord> {
    let good = r#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"111","price":29.99}"#;
    let sent = |payload| OutgoingRecord {
        partition: Some(0),
        key: Some(b"111".to_vec()),
        payload,
        ..OutgoingRecord::default()
    };
    let bad = malformed_records().into_iter().map(|(payload, _)| sent(payload));
    let good = || std::iter::once(sent(Some(good.as_bytes().to_vec())));
    good().chain(bad).chain(good()).collect()
}

fn assert_good_rows(redis: &Redis) {
    let contents = redis.read_rows();
    assert_eq!(contents.keys().collect::<Vec<_>>(), ["session_features:111:1704103200000", "user_features:111"]);
    assert_eq!(contents["user_features:111"]["view_count_1h"], "2");
}

#[test]
fn dead_letters_go_to_a_file() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &good_and_malformed_records());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dead.jsonl");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("dead_letters.file={}", path.display()));
    let log = run.run_bounded(&[]);
    assert!(log.contains("dead_letters=\"16\""), "{log}");
    assert_good_rows(&redis);
    let letters = std::fs::read_to_string(&path).expect("the file is there");
    let letters: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(letters.len(), malformed_records().len());
    for (index, (letter, (payload, reason))) in letters.iter().zip(malformed_records()).enumerate() {
        assert_eq!(letter["topic"], Value::String(topic.clone()));
        assert_eq!(letter["partition"], 0);
        assert_eq!(letter["offset"], index + 1);
        assert!(letter["reason"].as_str().expect("a reason").contains(reason), "{letter} {reason}");
        assert_eq!(letter["key"], "111");
        let kept = match (&letter["payload"], &letter["payload_base64"]) {
            (Value::String(text), Value::Null) => Some(text.clone().into_bytes()),
            (Value::Null, Value::String(coded)) => Some(BASE64_STANDARD.decode(coded).expect("base64")),
            _ => None,
        };
        assert_eq!(kept, payload, "{reason}");
    }
}

#[test]
fn dead_letters_go_to_a_topic() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &good_and_malformed_records());
    let dead = kafka.create_unique_topic(1, &[]);
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("dead_letters.topic={dead}"));
    run.run_bounded(&[]);
    assert_good_rows(&redis);
    let letters = kafka.read_partition(&dead, 0);
    assert_eq!(letters.len(), malformed_records().len());
    for (index, (letter, (payload, reason))) in letters.iter().zip(malformed_records()).enumerate() {
        assert_eq!(letter.payload, payload, "{reason}");
        assert_eq!(letter.key.as_deref(), Some(&b"111"[..]));
        let headers = letter.headers_as_text();
        assert!(headers["windrow.reason"].contains(reason), "{headers:?}");
        let expected: BTreeMap<&str, String> = BTreeMap::from([
            ("windrow.topic", topic.clone()),
            ("windrow.partition", "0".to_owned()),
            ("windrow.offset", (index + 1).to_string()),
        ]);
        for (name, value) in expected {
            assert_eq!(headers[name], value);
        }
    }
}

/// A compacted topic refuses a dead letter without a key. The job halts with the reason and commits nothing, rather than
/// losing the record.
#[test]
fn a_topic_that_refuses_dead_letters_halts_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let dead = kafka.create_unique_topic(1, &[("cleanup.policy", "compact")]);
    let payload = Some(b"no event".to_vec());
    kafka.produce(&topic, &[OutgoingRecord { partition: Some(0), key: None, payload, ..OutgoingRecord::default() }]);
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("dead_letters.topic={dead}"));
    let output = run.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{log}");
    assert!(log.contains(&format!("cannot write dead letters to topic `{dead}`")), "{log}");
    // The first checkpoint, at offset 0, may have been complete before.
    let committed = kafka.committed_offsets(&run.group, &topic, 1);
    assert!(committed[0] <= 0, "the record without a stored dead letter was committed: {committed:?}");
}

/// A key that holds another type is left unchanged and is named in a dead letter; all other rows are written (fault row 20).
#[test]
fn rows_that_redis_refuses_are_dead_letters() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let mut connection = redis.connect();
    let () = redis::Commands::set(&mut connection, "user_features:111", "a string of another program").expect("SET");
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &good_and_malformed_records()[..1]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dead.jsonl");
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("dead_letters.file={}", path.display()));
    run.run_bounded(&[]);
    let left: String = redis::Commands::get(&mut connection, "user_features:111").expect("GET");
    assert_eq!(left, "a string of another program");
    assert!(redis::Commands::exists::<_, bool>(&mut connection, "session_features:111:1704103200000").expect("EXISTS"));
    let letters = std::fs::read_to_string(&path).expect("the file is there");
    // The event is in six windows, and each has a row for this key.
    assert_eq!(letters.matches(r#""redis_key":"user_features:111""#).count(), 6, "{letters}");
    assert!(letters.contains("WRONGTYPE"), "{letters}");
}

//! Reads an entity's rows back.

use windrow_connectors::redis::{
    FeatureReader, KEYS_PER_SCAN_STEP, ReadFeaturesError, RowKey, StoredRow, StoredRowContents, read_features,
};
use windrow_core::{EventTime, Value, ViewId};

use crate::feed::{RowFeed, flush_and_wait, only_count, settings, start_owning_writer, windowed_pipeline};
use crate::server::{RedisServer, run_command};

fn read_rows(server: &RedisServer, key: &str) -> Vec<StoredRow> {
    let pipeline = windowed_pipeline();
    read_features(&server.url(), &pipeline, key).expect("Redis answers")
}

fn format_contents(contents: &StoredRowContents) -> String {
    match contents {
        StoredRowContents::Fields(fields) => {
            let pair =
                |(f, v): &(Vec<u8>, Vec<u8>)| format!("{}={}", String::from_utf8_lossy(f), String::from_utf8_lossy(v));
            fields.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        StoredRowContents::OtherType(kind) => format!("a {kind}"),
    }
}

#[test]
fn a_users_rows_are_found_and_nobody_elses() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let values = [Value::Long(1), Value::Double(2.0), Value::String("k"), Value::Null];
    feed.write_round(&mut sink, ["a", "a:5", "b*", "bc"].map(|user| (user, values)));
    feed.write_round(&mut sink, [("a", only_count(2)), ("a:5", only_count(3))]);
    flush_and_wait(&mut sink);
    let mut client = server.connect();
    run_command(&mut client, "HSET latest:a zzz 1 extra 2");
    run_command(&mut client, "PERSIST window:a:0");

    let rows = read_rows(&server, "a");
    let contents: Vec<_> = rows.iter().map(|row| format_contents(&row.contents)).collect();
    let latest = "user_id=a count=2 again=2 extra=2 zzz=1";
    assert_eq!(contents, [latest, "user_id=a events=1", "user_id=a events=1"]);
    let keys: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.redis_key)).collect();
    assert_eq!(keys, ["latest:a", "window:a:0", "window:a:1000"]);
    assert_eq!(rows.iter().map(|row| row.view).collect::<Vec<_>>(), [ViewId(0), ViewId(1), ViewId(1)]);
    assert_eq!((rows[0].window.start, rows[2].window.start), (None, Some(EventTime::from_ms(1_000))));
    assert_eq!((rows[1].remaining_ttl_ms, rows[1].age_ms), (None, None), "a row that was made to stay");
    let (left, age) = (rows[2].remaining_ttl_ms.expect("expires"), rows[2].age_ms.expect("has an age"));
    assert_eq!(left + age, 7_200_000);
    assert!(age < 20_000, "{age} ms old");

    assert_eq!(read_rows(&server, "b*").len(), 2, "a star is only a star");
    assert_eq!(read_rows(&server, "a:5").len(), 3);
    assert_eq!(read_rows(&server, "unknown"), []);
}

#[test]
fn a_key_of_another_type_is_reported() {
    let server = RedisServer::start(&[]);
    run_command(&mut server.connect(), "SET latest:u text");
    let rows = read_rows(&server, "u");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0].contents, rows[0].remaining_ttl_ms),
        (&StoredRowContents::OtherType("string".to_owned()), None)
    );
}

#[test]
fn a_large_database_is_scanned_to_its_end() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let users: Vec<String> = (0..10_000).map(|n| format!("u{n}")).collect();
    feed.write_round(&mut sink, users.iter().map(|user| (user.as_str(), only_count(1))));
    flush_and_wait(&mut sink);
    assert_eq!(read_rows(&server, "u7777").len(), 2);

    let mut reader = FeatureReader::connect(&server.url(), &pipeline, "u7777").expect("Redis answers");
    let (mut steps, mut keys) = (0, reader.windowless_row_keys());
    let mut all = |found: Vec<RowKey>| {
        steps += 1;
        keys.extend(found);
        true
    };
    reader.scan_windowed_row_keys(&mut all).expect("Redis answers");
    assert!(
        (20_000 / KEYS_PER_SCAN_STEP..=3 * 20_000 / KEYS_PER_SCAN_STEP).contains(&steps),
        "{steps} steps for 20,000 keys"
    );
    let contents = |rows: Vec<StoredRow>| rows.into_iter().map(|row| (row.redis_key, row.contents)).collect::<Vec<_>>();
    assert_eq!(contents(reader.read_rows(&keys).expect("Redis answers")), contents(read_rows(&server, "u7777")));
    let mut steps = 0;
    let stop = |_| {
        steps += 1;
        steps < 3
    };
    reader.scan_windowed_row_keys(stop).expect("Redis answers");
    assert_eq!(steps, 3, "it ends when told to");
    run_command(&mut server.connect(), "DEL latest:u7777");
    assert_eq!(reader.read_rows(&keys).expect("Redis answers").len(), 1, "a row that is gone is left out");
}

#[test]
fn without_redis_the_message_names_the_setting() {
    let (server, pipeline) = (RedisServer::prepare(&[]), windowed_pipeline());
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port);
    let error = read_features(&url, &pipeline, "u").expect_err("no server listens");
    assert!(matches!(error, ReadFeaturesError::RedisFailed { .. }));
    let message = error.to_string();
    assert!(message.contains("sink.redis.url") && message.contains("refused"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

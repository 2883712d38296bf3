//! What a row is in Redis.

use std::collections::BTreeSet;

use windrow_core::Value;

use crate::feed::{
    EventValues, RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer, windowed_pipeline,
};
use crate::server::{RedisServer, hash_fields, read_hash};

const ALL: EventValues<'static> =
    [Value::Long(-3), Value::Double(29.99), Value::String("a\r\n\0b"), Value::Boolean(true)];

#[test]
fn a_row_has_exactly_its_fields_and_its_time_to_live() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let mut sink = writer.create_worker_sink();
    let zero = [Value::Long(0), Value::Double(0.0), Value::String(""), Value::Boolean(false)];
    RowFeed::new(&pipeline).write_round(&mut sink, [("111", ALL), ("112", zero)]);
    flush_and_wait(&mut sink);

    let mut client = server.connect();
    let row = [
        ("user_id", "111"),
        ("count", "-3"),
        ("again", "-3"),
        ("price", "29.99"),
        ("kind", "a\r\n\0b"),
        ("flag", "true"),
    ];
    assert_eq!(read_hash(&mut client, "latest:111"), hash_fields(&row));
    let row = [("user_id", "112"), ("count", "0"), ("again", "0"), ("price", "0.0"), ("kind", ""), ("flag", "false")];
    assert_eq!(read_hash(&mut client, "latest:112"), hash_fields(&row));
    assert_eq!(read_hash(&mut client, "window:111:0"), hash_fields(&[("user_id", "111"), ("events", "1")]));
    for (key, ttl) in [("latest:111", 3_600_000), ("window:111:0", 7_200_000)] {
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut client).expect("PTTL");
        assert!((ttl - 20_000..=ttl).contains(&left), "{key} lives for {left} ms");
    }
    assert_eq!(writer.status().rows_written, 4);
}

#[test]
fn a_feature_that_becomes_null_leaves_the_row() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, [("u", ALL)]);
    feed.write_round(&mut sink, [("u", only_count(4))]);
    flush_and_wait(&mut sink);
    let mut client = server.connect();
    assert_eq!(read_hash(&mut client, "latest:u"), hash_fields(&[("user_id", "u"), ("count", "4"), ("again", "4")]));

    feed.write_round(&mut sink, [("u", [Value::Null; 4])]);
    flush_and_wait(&mut sink);
    assert_eq!(read_hash(&mut client, "latest:u"), hash_fields(&[("user_id", "u")]));
    let left: i64 = redis::cmd("PTTL").arg("latest:u").query(&mut client).expect("PTTL");
    assert!(left > 0, "a row of NULLs also expires");
}

#[test]
fn any_text_is_a_user() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let mut sink = writer.create_worker_sink();
    let long = "x".repeat(100_000);
    let users = [
        "",
        " ",
        ":",
        "a:b",
        "{",
        "}",
        "{user_id}",
        "{}",
        "\"",
        "'",
        "\\",
        "\n",
        "\r\n",
        "a\r\n$3\r\nb",
        "\0",
        "a\0b",
        "*",
        "?",
        "[a]",
        "👩‍🚀",
        "한국어",
        "é",
        "e\u{301}",
        &long,
    ];
    RowFeed::new(&pipeline).write_round(&mut sink, users.iter().zip(0..).map(|(user, n)| (*user, only_count(n))));
    flush_and_wait(&mut sink);

    let mut client = server.connect();
    for (user, n) in users.iter().zip(0..) {
        let n = n.to_string();
        let expected = hash_fields(&[("user_id", user), ("count", &n), ("again", &n)]);
        assert_eq!(read_hash(&mut client, format!("latest:{user}")), expected, "{user:?}");
        assert_eq!(read_hash(&mut client, format!("window:{user}:0"))["events"], "1", "{user:?}");
    }
    let keys: BTreeSet<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut client).expect("KEYS");
    assert_eq!(keys.len(), 2 * users.len() + 1, "no key beside the rows' and the fence");
}

#[test]
fn many_rows_need_few_transactions() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let mut sink = writer.create_worker_sink();
    let users: Vec<String> = (0..20_000).map(|n| format!("user-{n}")).collect();
    RowFeed::new(&pipeline)
        .write_round(&mut sink, users.iter().zip(0..).map(|(user, n)| (user.as_str(), only_count(n))));
    flush_and_wait(&mut sink);
    let status = writer.status();
    assert_eq!((status.rows_written, status.unacknowledged_bytes), (20_000, 0));
    assert!((20_000 / 512..=200).contains(&status.transaction_count), "{} transactions", status.transaction_count);
    let mut client = server.connect();
    let size: u64 = redis::cmd("DBSIZE").query(&mut client).expect("DBSIZE");
    assert_eq!(size, 20_000 + 1, "the rows and the fence");
    assert_eq!(read_hash(&mut client, "latest:user-19999")["count"], "19999");
}

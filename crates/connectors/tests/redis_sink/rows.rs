//! What a row is in Redis.

use std::collections::BTreeSet;

use windrow_core::Value;

use crate::feed::{Feed, Values, only_count, pipeline, settings, settle, windowed_pipeline, writer};
use crate::server::{Server, fields, hash};

const ALL: Values<'static> = [Value::Long(-3), Value::Double(29.99), Value::String("a\r\n\0b"), Value::Boolean(true)];

#[test]
fn a_row_has_exactly_its_fields_and_its_time_to_live() {
    let (server, pipeline) = (Server::start(&[]), windowed_pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let mut sink = writer.sink();
    let zero = [Value::Long(0), Value::Double(0.0), Value::String(""), Value::Boolean(false)];
    Feed::new(&pipeline).round(&mut sink, [("111", ALL), ("112", zero)]);
    settle(&mut sink);

    let mut client = server.client();
    let row = [
        ("user_id", "111"),
        ("count", "-3"),
        ("again", "-3"),
        ("price", "29.99"),
        ("kind", "a\r\n\0b"),
        ("flag", "true"),
    ];
    assert_eq!(hash(&mut client, "latest:111"), fields(&row));
    let row = [("user_id", "112"), ("count", "0"), ("again", "0"), ("price", "0.0"), ("kind", ""), ("flag", "false")];
    assert_eq!(hash(&mut client, "latest:112"), fields(&row));
    assert_eq!(hash(&mut client, "window:111:0"), fields(&[("user_id", "111"), ("events", "1")]));
    for (key, ttl) in [("latest:111", 3_600_000), ("window:111:0", 7_200_000)] {
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut client).expect("PTTL");
        assert!((ttl - 20_000..=ttl).contains(&left), "{key} lives for {left} ms");
    }
    assert_eq!(writer.status().rows_written, 4);
}

#[test]
fn a_feature_that_becomes_null_leaves_the_row() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
    feed.round(&mut sink, [("u", ALL)]);
    feed.round(&mut sink, [("u", only_count(4))]);
    settle(&mut sink);
    let mut client = server.client();
    assert_eq!(hash(&mut client, "latest:u"), fields(&[("user_id", "u"), ("count", "4"), ("again", "4")]));

    feed.round(&mut sink, [("u", [Value::Null; 4])]);
    settle(&mut sink);
    assert_eq!(hash(&mut client, "latest:u"), fields(&[("user_id", "u")]));
    let left: i64 = redis::cmd("PTTL").arg("latest:u").query(&mut client).expect("PTTL");
    assert!(left > 0, "a row of NULLs also expires");
}

#[test]
fn any_text_is_a_user() {
    let (server, pipeline) = (Server::start(&[]), windowed_pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let mut sink = writer.sink();
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
    Feed::new(&pipeline).round(&mut sink, users.iter().zip(0..).map(|(user, n)| (*user, only_count(n))));
    settle(&mut sink);

    let mut client = server.client();
    for (user, n) in users.iter().zip(0..) {
        let n = n.to_string();
        let expected = fields(&[("user_id", user), ("count", &n), ("again", &n)]);
        assert_eq!(hash(&mut client, format!("latest:{user}")), expected, "{user:?}");
        assert_eq!(hash(&mut client, format!("window:{user}:0"))["events"], "1", "{user:?}");
    }
    let keys: BTreeSet<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut client).expect("KEYS");
    assert_eq!(keys.len(), 2 * users.len() + 1, "no key beside the rows' and the fence");
}

#[test]
fn many_rows_need_few_transactions() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let mut sink = writer.sink();
    let users: Vec<String> = (0..20_000).map(|n| format!("user-{n}")).collect();
    Feed::new(&pipeline).round(&mut sink, users.iter().zip(0..).map(|(user, n)| (user.as_str(), only_count(n))));
    settle(&mut sink);
    let status = writer.status();
    assert_eq!((status.rows_written, status.waiting_bytes), (20_000, 0));
    assert!((20_000 / 512..=200).contains(&status.transactions), "{} transactions", status.transactions);
    let mut client = server.client();
    let size: u64 = redis::cmd("DBSIZE").query(&mut client).expect("DBSIZE");
    assert_eq!(size, 20_000 + 1, "the rows and the fence");
    assert_eq!(hash(&mut client, "latest:user-19999")["count"], "19999");
}

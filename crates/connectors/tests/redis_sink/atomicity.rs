//! No reader sees half a row, or a row that never expires.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use redis::Connection;
use windrow_core::Value;

use crate::feed::{RowFeed, flush_and_wait, pipeline, settings, start_owning_writer};
use crate::server::{HashFields, RedisServer};

const USERS: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn a_reader_never_sees_half_a_row() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers = [in_one_transaction, in_two_commands].map(|look| {
            let (mut client, done) = (server.connect(), &done);
            scope.spawn(move || {
                let mut rows_seen = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    rows_seen += USERS.iter().map(|user| look(&mut client, &format!("latest:{user}"))).sum::<u64>();
                }
                rows_seen
            })
        });
        let mut remover = server.connect();
        let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
        for round in 0..3_000 {
            // Sometimes with fields missing, so that HDEL takes part.
            let price = if round % 3 == 0 { Value::Null } else { Value::Double(1.5) };
            let values = [Value::Long(round), price, Value::String("k"), Value::Boolean(true)];
            feed.write_round(&mut sink, USERS.map(|user| (user, values)));
            if round % 10 == 0 {
                // Rows that appear anew are the ones that could be seen without their time to live.
                flush_and_wait(&mut sink);
                redis::cmd("DEL").arg(&USERS.map(|user| format!("latest:{user}"))).exec(&mut remover).expect("DEL");
            }
        }
        flush_and_wait(&mut sink);
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let rows_seen = reader.join().expect("the reader saw only whole rows");
            assert!(rows_seen > 100, "the reader saw only {rows_seen} rows");
        }
    });
}

fn in_one_transaction(client: &mut Connection, key: &str) -> u64 {
    let (fields, ttl): (HashFields, i64) =
        redis::pipe().atomic().cmd("HGETALL").arg(key).cmd("PTTL").arg(key).query(client).expect("HGETALL, PTTL");
    assert_eq!(fields.is_empty(), ttl == -2, "{fields:?} lives for {ttl} ms");
    count_whole_row(&fields, ttl)
}

fn in_two_commands(client: &mut Connection, key: &str) -> u64 {
    let fields: HashFields = redis::cmd("HGETALL").arg(key).query(client).expect("HGETALL");
    let ttl: i64 = redis::cmd("PTTL").arg(key).query(client).expect("PTTL");
    count_whole_row(&fields, ttl)
}

/// Counts the row, if there is one.
fn count_whole_row(fields: &HashFields, ttl: i64) -> u64 {
    assert_ne!(ttl, -1, "a row without a time to live: {fields:?}");
    if fields.is_empty() {
        return 0;
    }
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let round: i64 = fields["count"].parse().expect("a number");
    let expected: &[&str] = if round % 3 == 0 {
        &["again", "count", "flag", "kind", "user_id"]
    } else {
        &["again", "count", "flag", "kind", "price", "user_id"]
    };
    assert_eq!(names, expected, "half a row: {fields:?}");
    assert_eq!(fields["count"], fields["again"], "a row of two rounds");
    1
}

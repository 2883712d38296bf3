//! A row key that holds something other than a hash.

use windrow_engine::Sink;

use crate::feed::{RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer};
use crate::server::{RedisServer, read_hash, run_command};

#[test]
fn a_foreign_key_is_left_alone_and_reported() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let mut client = server.connect();
    run_command(&mut client, "SET latest:taken precious");
    run_command(&mut client, "RPUSH latest:queue 1 2");
    run_command(&mut client, "PEXPIRE latest:queue 987654321");
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let mut other = writer.create_worker_sink();
    feed.write_round(&mut sink, ["before", "taken", "between", "queue", "after"].map(|user| (user, only_count(1))));
    flush_and_wait(&mut sink);

    let refused = sink.take_refused_rows();
    let keys: Vec<_> = refused.iter().map(|row| String::from_utf8_lossy(&row.row_key).into_owned()).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.contains(&"latest:taken".to_owned()) && keys.contains(&"latest:queue".to_owned()), "{keys:?}");
    assert!(refused.iter().all(|row| row.reason.starts_with("WRONGTYPE")), "{refused:?}");
    assert_eq!(sink.take_refused_rows(), [], "reported once");
    assert_eq!(other.take_refused_rows(), [], "reported to the worker whose row it was");
    for user in ["before", "between", "after"] {
        assert_eq!(read_hash(&mut client, format!("latest:{user}"))["count"], "1", "{user}");
    }
    let (value, ttl): (String, i64) =
        redis::pipe().cmd("GET").arg("latest:taken").cmd("PTTL").arg("latest:taken").query(&mut client).expect("GET");
    assert_eq!((value.as_str(), ttl), ("precious", -1), "a foreign key got a time to live");
    let ttl: i64 = redis::cmd("PTTL").arg("latest:queue").query(&mut client).expect("PTTL");
    assert!(ttl > 900_000_000, "a foreign time to live became {ttl}");
    let status = writer.status();
    assert_eq!((status.rows_written, status.rows_refused), (3, 2));
    assert!(status.ongoing_outage.is_none() && status.last_error.is_none(), "{status:?}");

    run_command(&mut client, "DEL latest:taken");
    feed.write_round(&mut other, [("taken", only_count(2))]);
    flush_and_wait(&mut other);
    assert_eq!(read_hash(&mut client, "latest:taken")["count"], "2", "free again");
    assert_eq!(sink.start_flush().expect("works"), sink.newest_acknowledged_flush());
}

//! A network that holds a batch's commands back and delivers them much later.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::feed::{RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer};
use crate::network::{FaultyNetwork, NetworkFault};
use crate::server::{RedisServer, read_hash};

#[test]
fn commands_that_arrive_after_their_connection_was_given_up_do_nothing() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let (network, port) = FaultyNetwork::forward_to(server.port);
    let writer = start_owning_writer(&format!("redis://127.0.0.1:{port}"), &pipeline, settings());
    let (mut sink, mut feed, mut client) = (writer.create_worker_sink(), RowFeed::new(&pipeline), server.connect());
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    network.inject(NetworkFault::Held);
    feed.write_round(&mut sink, [("u", only_count(2))]);
    flush_and_wait(&mut sink);
    assert!(writer.status().reconnect_count >= 1, "the flight was held back");
    feed.write_round(&mut sink, [("u", only_count(3))]);
    flush_and_wait(&mut sink);
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "3");

    let (mut far, held) = network.take_held().expect("a flight was held back");
    assert!(held.ends_with(b"EXEC\r\n"), "the whole flight was held back");
    // This may fail: the server may have closed the connection already.
    let _delivered = far.write_all(&held);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "3", "an old flight was carried out late");
}

//! A network that keeps a flight's commands and delivers them much later.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::feed::{Feed, only_count, pipeline, settings, settle, writer};
use crate::network::{Network, Trouble};
use crate::server::{Server, hash};

#[test]
fn commands_that_arrive_after_their_connection_was_given_up_do_nothing() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let (network, port) = Network::to(server.port);
    let writer = writer(&format!("redis://127.0.0.1:{port}"), &pipeline, settings());
    let (mut sink, mut feed, mut client) = (writer.sink(), Feed::new(&pipeline), server.client());
    feed.round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);

    network.arm(Trouble::Held);
    feed.round(&mut sink, [("u", only_count(2))]);
    settle(&mut sink);
    assert!(writer.status().reconnects >= 1, "the flight was held back");
    feed.round(&mut sink, [("u", only_count(3))]);
    settle(&mut sink);
    assert_eq!(hash(&mut client, "latest:u")["count"], "3");

    let (mut far, held) = network.take_held().expect("a flight was held back");
    assert!(held.ends_with(b"EXEC\r\n"), "the whole flight was held back");
    // Whether this fails depends on how fast the end of the connection is noticed.
    let _delivered = far.write_all(&held);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(hash(&mut client, "latest:u")["count"], "3", "an old flight was carried out late");
}

//! A network that keeps a flight's commands and delivers them much later.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::feed::{Feed, only_count, pipeline, settings, settle, writer};
use crate::server::{Server, hash};

/// Forwards connections to a server. Once armed, it holds back what the next connection that sends rows says from then
/// on; other connections are not affected.
#[derive(Default)]
struct Network {
    armed: AtomicBool,
    held: Mutex<Option<(TcpStream, Vec<u8>)>>,
}

impl Network {
    fn to(port: u16) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own_port = listener.local_addr().expect("bound").port();
        let network = Arc::new(Self::default());
        let shared = Arc::clone(&network);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(("127.0.0.1", port)).expect("redis-server");
                let (mut answers, mut back) = (far.try_clone().expect("clone"), near.try_clone().expect("clone"));
                thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let network = Arc::clone(&shared);
                thread::spawn(move || network.forward(near, far));
            }
        });
        (network, own_port)
    }

    fn forward(&self, mut near: TcpStream, mut far: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let mut holding = false;
        while let Ok(length @ 1..) = near.read(&mut buffer) {
            let bytes = &buffer[..length];
            let rows = bytes.windows(4).any(|part| part == b"HSET");
            if rows && !holding && self.armed.swap(false, Ordering::AcqRel) {
                holding = true;
                *self.held.lock().expect("no panic") = Some((far.try_clone().expect("clone"), Vec::new()));
            }
            if holding {
                let mut held = self.held.lock().expect("no panic");
                held.iter_mut().for_each(|(_, held)| held.extend_from_slice(bytes));
            } else if far.write_all(bytes).is_err() {
                return;
            }
        }
    }
}

#[test]
fn commands_that_arrive_after_their_connection_was_given_up_do_nothing() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let (network, port) = Network::to(server.port);
    let writer = writer(&format!("redis://127.0.0.1:{port}"), &pipeline, settings());
    let (mut sink, mut feed, mut client) = (writer.sink(), Feed::new(&pipeline), server.client());
    feed.round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);

    network.armed.store(true, Ordering::Release);
    feed.round(&mut sink, [("u", only_count(2))]);
    settle(&mut sink);
    assert!(writer.status().reconnects >= 1, "the flight was held back");
    feed.round(&mut sink, [("u", only_count(3))]);
    settle(&mut sink);
    assert_eq!(hash(&mut client, "latest:u")["count"], "3");

    let (mut far, held) = network.held.lock().expect("no panic").take().expect("a flight was held back");
    assert!(held.ends_with(b"EXEC\r\n"), "the whole flight was held back");
    // Whether this fails depends on how fast the end of the connection is noticed.
    let _delivered = far.write_all(&held);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(hash(&mut client, "latest:u")["count"], "3", "an old flight was carried out late");
}

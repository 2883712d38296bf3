//! A TCP proxy that can delay what a client sends, or stop to answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A proxy in front of a server. Its threads end with the test process.
pub(crate) struct TcpProxy {
    port: u16,
    is_silent: Arc<AtomicBool>,
    requests: Arc<RequestCounts>,
}

/// Counts the pieces that clients send, usually one for each request.
#[derive(Default)]
struct RequestCounts {
    total: AtomicU64,
    /// Those that wait for their delay.
    waiting: AtomicU64,
    most_waiting: AtomicU64,
}

impl TcpProxy {
    /// Starts a proxy in front of `server`, given as `host:port`. Each piece that a client sends, usually a request,
    /// arrives after `delay`.
    pub(crate) fn start(server: &str, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let is_silent = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(RequestCounts::default());
        let (server, silent, counts) = (server.to_owned(), Arc::clone(&is_silent), Arc::clone(&requests));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(&server) else { continue };
                let (to_client, to_server) = (client.try_clone(), upstream.try_clone());
                let (Ok(to_client), Ok(to_server)) = (to_client, to_server) else { continue };
                let (silent_for_requests, silent_for_answers) = (Arc::clone(&silent), Arc::clone(&silent));
                let counts = Arc::clone(&counts);
                thread::spawn(move || forward(client, to_server, delay, &silent_for_requests, &counts));
                thread::spawn(move || {
                    forward(upstream, to_client, Duration::ZERO, &silent_for_answers, &RequestCounts::default());
                });
            }
        });
        Self { port, is_silent, requests }
    }

    /// Returns how many pieces the clients have sent, usually one for each request.
    pub(crate) fn request_count(&self) -> u64 {
        self.requests.total.load(Ordering::Relaxed)
    }

    /// Returns how many pieces, usually requests, have waited for their delay at the same time.
    pub(crate) fn most_waiting_requests(&self) -> u64 {
        self.requests.most_waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Accepts connections and requests from now on, but forwards nothing, or continues to forward.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::Relaxed);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, delay: Duration, is_silent: &AtomicBool, counts: &RequestCounts) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut buffer) {
        while is_silent.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        counts.total.fetch_add(1, Ordering::Relaxed);
        let waiting = counts.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most_waiting.fetch_max(waiting, Ordering::Relaxed);
        thread::sleep(delay);
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other end may be closed already.
    let _ = to.shutdown(Shutdown::Both);
}

//! A gate in front of a server: it forwards TCP connections, delays and counts requests, holds connections, cuts them, or
//! leads to another server.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A port of its own that leads to a server.
pub(crate) struct TcpGate {
    port: u16,
    shared: Arc<SharedState>,
}

#[derive(Default)]
struct SharedState {
    state: Mutex<GateState>,
    reopened: Condvar,
    /// How long each request waits before the server gets it.
    request_delay: Duration,
    requests: RequestCounts,
}

/// Counts the pieces that clients send, usually one for each request.
#[derive(Default)]
struct RequestCounts {
    total: AtomicU64,
    /// Those that wait for their delay.
    waiting: AtomicU64,
    most_waiting: AtomicU64,
}

#[derive(Default)]
struct GateState {
    server_port: u16,
    is_held: bool,
    /// Whether data has arrived while the gate held.
    holds_data: bool,
    /// Both ends of every connection, by its number.
    connections: BTreeMap<u64, [TcpStream; 2]>,
    next_number: u64,
}

impl TcpGate {
    /// Starts a gate to the server on `server_port` of this machine.
    pub(crate) fn start(server_port: u16) -> Self {
        Self::start_with_delay(server_port, Duration::ZERO)
    }

    /// Starts a gate to the server on `server_port` of this machine. Each piece that a client sends, usually a request,
    /// arrives after `request_delay`.
    pub(crate) fn start_with_delay(server_port: u16, request_delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(SharedState { request_delay, ..SharedState::default() });
        shared.state.lock().server_port = server_port;
        let gate = Self { port, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.forward_connection(&client));
            }
        });
        gate
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of an HTTP server behind the gate.
    pub(crate) fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns how many pieces the clients have sent, usually one for each request.
    pub(crate) fn request_count(&self) -> u64 {
        self.shared.requests.total.load(Ordering::Relaxed)
    }

    /// Returns how many pieces, usually requests, have waited for their delay at the same time.
    pub(crate) fn most_waiting_requests(&self) -> u64 {
        self.shared.requests.most_waiting.load(Ordering::Relaxed)
    }

    /// Holds all data. Clients can still connect, but nothing answers.
    pub(crate) fn hold(&self) {
        self.shared.state.lock().is_held = true;
    }

    /// Returns whether the gate holds data that a client or the server has sent.
    pub(crate) fn holds_data(&self) -> bool {
        self.shared.state.lock().holds_data
    }

    /// Forwards again, also what was held meanwhile.
    pub(crate) fn release(&self) {
        let mut state = self.shared.state.lock();
        (state.is_held, state.holds_data) = (false, false);
        drop(state);
        self.shared.reopened.notify_all();
    }

    /// Cuts all connections. What was on its way is lost.
    pub(crate) fn cut(&self) {
        cut_connections(&mut self.shared.state.lock());
    }

    /// Cuts all connections. New ones lead to the server on `server_port`.
    pub(crate) fn redirect(&self, server_port: u16) {
        let mut state = self.shared.state.lock();
        state.server_port = server_port;
        cut_connections(&mut state);
    }
}

fn cut_connections(state: &mut GateState) {
    for end in std::mem::take(&mut state.connections).into_values().flatten() {
        // It may be closed already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

impl SharedState {
    fn forward_connection(&self, client: &TcpStream) {
        let mut state = self.state.lock();
        self.reopened.wait_while(&mut state, |state| state.is_held);
        // An unreachable server closes the connection.
        let Ok(server) = TcpStream::connect(("127.0.0.1", state.server_port)) else { return };
        let clone = |end: &TcpStream| end.try_clone().expect("a second handle");
        let number = state.next_number;
        state.next_number += 1;
        state.connections.insert(number, [clone(client), clone(&server)]);
        drop(state);
        for end in [client, &server] {
            end.set_nodelay(true).expect("a connection");
        }
        thread::scope(|scope| {
            scope.spawn(|| self.copy(client, &server, || self.delay_request()));
            self.copy(&server, client, || {});
        });
        self.state.lock().connections.remove(&number);
    }

    fn delay_request(&self) {
        let RequestCounts { total, waiting, most_waiting } = &self.requests;
        total.fetch_add(1, Ordering::Relaxed);
        most_waiting.fetch_max(waiting.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        thread::sleep(self.request_delay);
        waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Copies all data of one direction. Calls `before_piece` before it forwards a piece.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, before_piece: impl Fn()) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mut state = self.state.lock();
            state.holds_data |= state.is_held;
            self.reopened.wait_while(&mut state, |state| state.is_held);
            drop(state);
            before_piece();
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        self.reopened.wait_while(&mut self.state.lock(), |state| state.is_held);
        let _ = to.shutdown(Shutdown::Write);
    }
}

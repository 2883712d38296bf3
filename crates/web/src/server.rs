//! Listening: one thread, one single-threaded runtime, and bounds on what a visitor may take.
//!
//! Owns: the socket, connections, their end. Does not own: who may ask (`guard`), what is answered (`routes`).
//! Invariants: (1) no visitor can hold up a worker: nothing is shared but counters and copies; (2) connections, headers
//! and the time for them are bounded; (3) nothing is forwarded and no file is read; (4) the end waits for answers, not
//! for live pages, which have none.
//! After a crash: the socket is closed by the system; the next start binds it again.

mod machines;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener};
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::map_response;
use axum::response::Response;
use futures_util::StreamExt;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use machines::ConnectionCounts;

/// Open connections; more wait until one is closed.
pub const CONNECTIONS_MAX: usize = 128;
/// Of these, from one other machine.
pub const CONNECTIONS_PER_MACHINE: usize = 64;
/// How long a client may take for a request's head, also for the next one on an open connection.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX: usize = 32 * 1024;
/// What was sent and not acknowledged for this long ends a connection.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);
/// How long answers under way may take at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// Threads for what blocks: Redis, the checkpoint store.
const BLOCKING_THREADS: usize = 8;

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenAddress {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

impl FromStr for ListenAddress {
    type Err = String;

    /// `off`, `127.0.0.1:8081`, `localhost:8081`, `[::1]:8081`, `0.0.0.0:8081`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
            return Ok(Self::At((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("`{text}` is no address; write for example 127.0.0.1:8081, [::1]:8081, 0.0.0.0:8081 or off")
        })
    }
}

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} (--listen): {error}{way_out}")]
pub struct BindFault {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub error: io::Error,
    way_out: &'static str,
}

impl BindFault {
    /// Whether another program listens there.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }
}

/// Listens at `address`; visitors wait until somebody serves.
///
/// # Errors
/// When another program is there, or this machine has no such address.
pub fn bind(address: SocketAddr) -> Result<StdTcpListener, BindFault> {
    let bound = StdTcpListener::bind(address);
    let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| {
        let way_out = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ". Another program is there: choose another port (--listen 127.0.0.1:0 takes a free one), or --listen off"
            }
            _ => ". Choose another address, or --listen off",
        };
        BindFault { address, error, way_out }
    })
}

/// A running server; dropped, it ends at once.
pub struct HttpServer {
    address: SocketAddr,
    end_signal: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves `router`, which [`crate::guard::protect`] has been around, on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(listener: StdTcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http-waiting")
            .build()?;
        let listener = {
            let _within = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (end, mut ended) = watch::channel(false);
        let work = move || {
            let stop = async move {
                // An error: the server was dropped.
                let _ = ended.wait_for(|ended| *ended).await;
            };
            runtime.block_on(serve(listener, router, stop));
            // A Redis that does not answer must not hold up the end of the process.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(work)?;
        Ok(Self { address, end_signal: end, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: live pages at once; answers under way are finished, for at most a second.
    pub fn shut_down(mut self) {
        let _ = self.end_signal.send(true);
        if let Some(thread) = self.thread.take() {
            // Broken down or not: it is over.
            let _ = thread.join();
        }
    }
}

/// Answers visitors until `stop`, then ends live pages and finishes what is under way, for at most a second.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let machines = ConnectionCounts::default();
    let (ending, ended) = watch::channel(false);
    let router = router.layer(map_response(move |answer| {
        let ended = ended.clone();
        async move { end_event_stream_on(ended, answer) }
    }));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((_, from)) if machines.is_at_limit(from.ip()) => {} // closed at once
            Ok((stream, from)) => {
                let place = machines.count_connection(from.ip());
                let connection = serve_connection(stream, router.clone(), ending.subscribe());
                connections.spawn(async move {
                    connection.await;
                    drop((permit, place));
                });
            }
            // Out of file descriptors: connections must close first.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    let _ = ending.send(true);
    let _ = timeout(SHUTDOWN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
}

/// `answer`; one that goes on for ever is over when `ended` says so.
fn end_event_stream_on(mut ended: watch::Receiver<bool>, answer: Response) -> Response {
    let live = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !live {
        return answer;
    }
    let over = async move { drop(ended.wait_for(|ended| *ended).await) };
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(over))))
}

async fn serve_connection(stream: TcpStream, router: Router, mut ending: watch::Receiver<bool>) {
    let socket = SockRef::from(&stream);
    // Settings that fail leave the system's own.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNACKNOWLEDGED_TIMEOUT));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = async { drop(ending.wait_for(|ending| *ending).await) } => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

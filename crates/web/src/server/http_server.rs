//! The thread of an HTTP server, which accepts connections until the shutdown.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::middleware::map_response;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_http::compression::CompressionLayer;

use super::connection::serve_connection;
use super::connection_counts::ConnectionCounts;
use crate::event_stream_end::{end_event_stream_at_signal, wait_for_signal};

/// The largest number of open connections, over all clients. Further connections wait until an open connection is
/// closed.
pub const MAX_CONNECTIONS: usize = 128;
/// How long the shutdown waits for answers in progress.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest number of threads for blocking calls to Redis or the checkpoint store.
const MAX_BLOCKING_THREADS: usize = 8;

/// A running HTTP server. Dropping this value begins the shutdown of the server, but does not wait for the end of the
/// shutdown.
pub struct HttpServer {
    address: SocketAddr,
    shutdown_signal: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves `router` on a new thread. The router must already include the access control of
    /// [`crate::guard::protect`].
    ///
    /// # Errors
    /// Fails if the thread or the runtime of the thread cannot be started.
    pub fn start(listener: StdTcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("http-waiting")
            .build()?;
        let listener = {
            let _within = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (end_signal, mut ended) = watch::channel(false);
        let work = move || {
            let stop = async move { wait_for_signal(&mut ended).await };
            runtime.block_on(serve_until(listener, router, stop));
            // Do not wait for blocking calls: an unresponsive Redis must not delay the end of the process.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(work)?;
        Ok(Self { address, shutdown_signal: end_signal, thread: Some(thread) })
    }

    /// Returns the address of the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shuts the server down: ends the event streams of live pages at once, waits at most a second for answers in
    /// progress, and joins the thread.
    pub fn shut_down(mut self) {
        let _ = self.shutdown_signal.send(true);
        if let Some(thread) = self.thread.take() {
            // The thread has ended even if it panicked, so the result of `join` is ignored.
            let _ = thread.join();
        }
    }
}

/// Serves connections until `stop` completes. Then ends the event streams of live pages, and waits at most a second for
/// other answers in progress.
pub async fn serve_until(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let counts = ConnectionCounts::default();
    let (begin_shutdown, shutdown) = watch::channel(false);
    let end_event_streams = map_response(move |answer| {
        let shutdown = shutdown.clone();
        async move { end_event_stream_at_signal(shutdown, answer) }
    });
    // The layer does not compress event streams. An encoder would delay their messages.
    let router = router.layer(CompressionLayer::new()).layer(end_event_streams);
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
            // The client machine has too many connections. The new connection is closed, because its stream is dropped
            // here.
            Ok((_, from)) if counts.is_at_limit(from.ip()) => {}
            Ok((stream, from)) => {
                let slot = counts.count_connection(from.ip());
                let connection = serve_connection(stream, from.ip(), router.clone(), begin_shutdown.subscribe());
                connections.spawn(async move {
                    connection.await;
                    drop((permit, slot));
                });
            }
            // `accept` fails, for example, while the process has no free file descriptor. So wait before the next
            // attempt.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    let _ = begin_shutdown.send(true);
    let _ = timeout(SHUTDOWN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
}

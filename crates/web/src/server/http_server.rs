//! The server: its thread, its accept loop, its shutdown.

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

use super::connection::{end_event_stream_on, serve_connection, wait_for_shutdown};
use super::connection_counts::ConnectionCounts;

/// Open connections; more wait until one is closed.
pub const CONNECTIONS_MAX: usize = 128;
/// How long answers in progress may take at the shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// Threads for calls that block: Redis, the checkpoint store.
const BLOCKING_THREADS: usize = 8;

/// A running server. Dropping it ends it without waiting.
pub struct HttpServer {
    address: SocketAddr,
    end_signal: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves `router` on a thread of its own. [`crate::guard::protect`] must have been applied to the router.
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
        let (end_signal, mut ended) = watch::channel(false);
        let work = move || {
            let stop = async move { wait_for_shutdown(&mut ended).await };
            runtime.block_on(serve(listener, router, stop));
            // A Redis that does not answer must not delay the end of the process.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(work)?;
        Ok(Self { address, end_signal, thread: Some(thread) })
    }

    /// Returns the address of the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends live pages at once, finishes answers in progress for at most a second, and joins the thread.
    pub fn shut_down(mut self) {
        let _ = self.end_signal.send(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended, too.
            let _ = thread.join();
        }
    }
}

/// Answers visitors until `stop`. Then ends live pages and finishes answers in progress, for at most a second.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let counts = ConnectionCounts::default();
    let (begin_shutdown, shutdown) = watch::channel(false);
    let router = router.layer(map_response(move |answer| {
        let shutdown = shutdown.clone();
        async move { end_event_stream_on(shutdown, answer) }
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
            Ok((_, from)) if counts.is_at_limit(from.ip()) => {} // closed at once
            Ok((stream, from)) => {
                let slot = counts.count_connection(from.ip());
                let connection = serve_connection(stream, router.clone(), begin_shutdown.subscribe());
                connections.spawn(async move {
                    connection.await;
                    drop((permit, slot));
                });
            }
            // Out of file descriptors: connections must close first.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    let _ = begin_shutdown.send(true);
    let _ = timeout(SHUTDOWN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
}

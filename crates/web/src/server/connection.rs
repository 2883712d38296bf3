//! Serves one connection. At the shutdown of the server, ends the event streams of live pages.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The server closes a connection that is idle for this time. It also closes a connection if the head of a request has
/// not arrived within this time.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest size of a request's head, in bytes.
const MAX_REQUEST_HEAD_BYTES: usize = 32 * 1024;
/// On Linux, the operating system closes a connection if the client's machine does not acknowledge sent bytes within
/// this time.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection until the client closes the connection or the shutdown of the server begins. At the shutdown,
/// still completes the answer in progress.
pub(super) async fn serve_connection(stream: TcpStream, router: Router, mut shutdown: watch::Receiver<bool>) {
    let socket = SockRef::from(&stream);
    // The connection also works without these socket options, so a failure to set an option is ignored.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNACKNOWLEDGED_TIMEOUT));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = wait_for_shutdown(&mut shutdown) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Returns `answer`. If `answer` is an event stream, the body of the result ends at the shutdown of the server.
pub(super) fn end_event_stream_at_shutdown(mut shutdown: watch::Receiver<bool>, answer: Response) -> Response {
    let content_type = answer.headers().get(CONTENT_TYPE);
    let is_event_stream = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_event_stream {
        return answer;
    }
    let end = async move { wait_for_shutdown(&mut shutdown).await };
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(end))))
}

/// Waits until the shutdown of the server begins, or until the sender of the shutdown signal is dropped.
pub(super) async fn wait_for_shutdown(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|begun| *begun).await;
}

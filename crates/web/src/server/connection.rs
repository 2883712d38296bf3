//! One connection, and the end of its live streams.

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

/// How long a client may take for the head of a request, also for the next request on an open connection.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes in the head of a request.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Sent bytes that are not acknowledged for this long end a connection.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection until the client closes it. After `shutdown`, finishes the answer in progress and ends.
pub(super) async fn serve_connection(stream: TcpStream, router: Router, mut shutdown: watch::Receiver<bool>) {
    let socket = SockRef::from(&stream);
    // If a setting fails, the default of the operating system stays.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNACKNOWLEDGED_TIMEOUT));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = wait_for_shutdown(&mut shutdown) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Returns `answer`; if it is an event stream, one that ends at the shutdown.
pub(super) fn end_event_stream_on(mut shutdown: watch::Receiver<bool>, answer: Response) -> Response {
    let content_type = answer.headers().get(CONTENT_TYPE);
    let is_event_stream = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_event_stream {
        return answer;
    }
    let end = async move { wait_for_shutdown(&mut shutdown).await };
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(end))))
}

/// Waits until the value is true, or the sender is dropped.
pub(super) async fn wait_for_shutdown(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|begun| *begun).await;
}

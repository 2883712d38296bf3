//! Serves one connection, and adds the client's address to its requests.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::event_stream_end::wait_for_signal;
use crate::guard::tls_proxy::ClientAddress;

/// The server closes a connection that is idle for this time. It also closes a connection if the head of a request has
/// not arrived within this time.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest size of a request's head, in bytes.
const MAX_REQUEST_HEAD_BYTES: usize = 32 * 1024;
/// On Linux, the operating system closes a connection if the client's machine does not acknowledge sent bytes within
/// this time.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection from the machine `client` until the client closes the connection or the shutdown of the server
/// begins. At the shutdown, still completes the answer in progress.
pub(super) async fn serve_connection(
    stream: TcpStream,
    client: IpAddr,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let socket = SockRef::from(&stream);
    // The connection also works without these socket options, so a failure to set an option is ignored.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNACKNOWLEDGED_TIMEOUT));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
    let answer_requests = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ClientAddress(client));
        answer_requests.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = wait_for_signal(&mut shutdown) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

//! The HTTP server: one thread with a single-threaded runtime, and limits for every client.
//!
//! Owns: the listening socket and the connections. Does not own: access control (`guard`), the answers (`routes`).
//! Invariants: (1) No client can delay a worker, because the server reads only counters and copies. (2) The number of
//! connections, the size of request heads and the time to send a head are limited. (3) The server opens no file and
//! forwards no request. (4) The shutdown waits for answers in progress, except for live pages, whose streams never end.
//! After a crash: the operating system closes the socket; the next start binds it again.

mod connection;
mod connection_counts;
mod http_server;
mod listen_address;

pub use connection::REQUEST_HEAD_TIMEOUT;
pub use connection_counts::CONNECTIONS_PER_MACHINE_MAX;
pub use http_server::{CONNECTIONS_MAX, HttpServer, serve_until};
pub use listen_address::{BindFault, ListenAddress, bind};

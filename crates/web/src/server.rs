//! The HTTP server: one thread with a single-threaded runtime, and limits on what each client can use.
//!
//! Owns: the listening socket and the connections. Does not own: access control (`guard`), the answers (`routes`).
//! Invariants: (1) No client can delay a worker, because the server reads only counters of the workers, and copies of
//! their data. (2) The number of connections, the size of request heads and the time to send a head are limited. (3)
//! The server opens no file and forwards no request. (4) The shutdown waits for answers in progress, but ends the event
//! streams of live pages, because these streams never end by themselves. After a crash: the operating system closes the
//! socket; the next start opens a new socket at the same address.

mod connection;
mod connection_counts;
mod http_server;
mod listen_address;

pub use connection::REQUEST_HEAD_TIMEOUT;
pub use connection_counts::MAX_CONNECTIONS_PER_MACHINE;
pub use http_server::{HttpServer, MAX_CONNECTIONS, serve_until};
pub use listen_address::{BindFault, ListenAddress, bind};

//! Listening: one thread, one single-threaded runtime, and bounds on what a visitor may take.
//!
//! Owns: the socket, connections, their end. Does not own: who may ask (`guard`), what is answered (`routes`).
//! Invariants: (1) no visitor can delay a worker: nothing is shared but counters and copies; (2) connections, request heads
//! and the time for them are bounded; (3) nothing is forwarded and no file is read; (4) the shutdown waits for answers, but
//! not for live pages, whose streams never end.
//! After a crash: the operating system closes the socket; the next start binds it again.

mod connection;
mod connection_counts;
mod http_server;
mod listen_address;

pub use connection::HEAD_TIMEOUT;
pub use connection_counts::CONNECTIONS_PER_MACHINE;
pub use http_server::{CONNECTIONS_MAX, HttpServer, serve};
pub use listen_address::{BindFault, ListenAddress, bind};

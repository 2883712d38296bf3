//! Everything that knows Kafka, Redis, files or object stores.
//!
//! The engine defines what a worker reads from, writes to and keeps its state in. This crate implements these interfaces:
//! sources of records, sinks of rows, fences, dead letters, and checkpoint stores. It knows nothing of windows and features.
//! Each module owns the connections, retries and error classification of one system.
//!
//! ```text
//!   kafka/source.rs ─┐                    ┌─► redis/sink.rs ─► rows/ ─► delivery/ ─► Redis
//!                    ├─► engine's worker ─┤
//!    file/source.rs ─┘      │       │     └─► file/rows.rs ─► JSON lines
//!                           │       │
//!             object_store.rs       └─► kafka/produce/dead_letters.rs, file/dead_letters.rs
//!        (checkpoints: a directory or a bucket)
//! ```
//!
//! Read first:
//! - [`redis.rs`](../src/windrow_connectors/redis.rs.html): the way of a row to Redis, and what stays true on it
//! - [`kafka/source.rs`](../src/windrow_connectors/kafka/source.rs.html): the way of a record from Kafka
//! - [`object_store.rs`](../src/windrow_connectors/object_store.rs.html): where checkpoints are stored

pub mod file;
pub mod kafka;
pub mod object_store;
pub mod outage;
pub mod redis;
mod text;
pub mod url_redaction;

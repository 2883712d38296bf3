//! Connectors to Kafka, Redis, files and object stores.
//!
//! The engine defines interfaces for sources of records, sinks of rows, fences, dead letters and checkpoint stores.
//! This crate implements these interfaces. It does not compute windows or features. Each module owns the connections to
//! one system, and the classification of the system's errors.
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
//! - [`redis.rs`](../src/windrow_connectors/redis.rs.html): how a row reaches Redis, and the invariants of the writer
//! - [`kafka/source.rs`](../src/windrow_connectors/kafka/source.rs.html): how a record arrives from Kafka
//! - [`object_store.rs`](../src/windrow_connectors/object_store.rs.html): where checkpoints are stored

pub mod file;
pub mod kafka;
pub mod object_store;
pub mod outage;
pub mod redis;
pub mod url_redaction;
mod value_text;

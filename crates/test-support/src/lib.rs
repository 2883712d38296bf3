//! What integration tests of several crates share: a client of the real Kafka that tests run on.
//!
//! Owns: test topics, records, groups and offsets on a Kafka that is already running. Does not own: starting Kafka
//! (`dev/kafka.sh`), or anything that ships: this crate is only ever a dev-dependency.

// Helpers of tests fail and report as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

pub mod kafka;
mod wait;

pub use wait::eventually;

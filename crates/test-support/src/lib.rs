//! Helpers for integration tests that need a real Kafka. The tests of several crates use these helpers.
//!
//! Owns: test topics, records, groups and offsets on a running Kafka. Does not own: starting Kafka (`dev/kafka.sh`).
//! Other crates use this crate only as a dev-dependency.

// Test helpers panic on failures and print to standard output, as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

pub mod kafka;
mod wait;

pub use wait::{HANG_TIMEOUT, wait_until};

//! The code that integration tests of several crates share: helpers for a real Kafka.
//!
//! Owns: test topics, records, groups and offsets on a Kafka that is already running. Does not own: starting Kafka
//! (`dev/kafka.sh`). No released crate depends on this crate, except as a dev-dependency.

// Test helpers panic on failures and print to standard output, as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

pub mod kafka;
mod wait;

pub use wait::wait_until_or_panic;

//! Helpers for integration tests that need a real Kafka or start servers. The tests of several crates use these helpers.
//!
//! Owns: test topics, records, groups and offsets on a running Kafka, and the ports of servers. Does not own: starting Kafka
//! (`dev/kafka.sh`), except for tests that disturb the broker itself.
//! Other crates use this crate only as a dev-dependency.
//!
//! # Files
//!
//! Paths are relative to `src`.
//!
//! | file | content |
//! |---|---|
//! | `kafka.rs` | the Kafka on which tests run |
//! | `kafka/dedicated_kafka.rs` | a Kafka for one test, with its own settings |
//! | `kafka/group.rs` | helpers for consumer groups: members that join, and offsets that tests commit and read |
//! | `kafka/records.rs` | helpers that send and read the records of tests |
//! | `kafka/test_kafka.rs` | finds the Kafka on which tests run |
//! | `kafka/topics.rs` | helpers that create, change and delete the topics of tests |
//! | `port.rs` | ports for the servers that tests start |
//! | `wait.rs` | waits until another process or thread makes a condition true |

#![expect(clippy::panic, clippy::print_stdout, reason = "helpers of tests fail and report as tests do")]

pub mod kafka;
mod port;
mod wait;

pub use port::free_port;
pub use wait::{HANG_TIMEOUT, wait_until};

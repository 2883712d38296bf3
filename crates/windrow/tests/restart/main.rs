//! Stops, kills and moves the real worker, event by event, with real checkpoints in a folder.
//!
//! A script replaces Kafka and memory replaces Redis, so that a test can choose the exact moment. The memory behaves like a
//! fenced store. It fails the test when a row is written twice, is missing, or goes back in event time. Tests with real
//! Kafka and Redis are in `../end_to_end`.

// Helpers of tests fail as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

mod conformance;
mod damage;
mod faults;
mod job;
mod rows;
mod said;
mod script;
mod stores;
mod views;

//! Stopping, killing and moving the real worker over real checkpoints in a folder, event by event.
//!
//! Records come from a script instead of Kafka and rows go to memory instead of Redis, so that every moment can be hit
//! exactly; the memory keeps the promises of a fenced store and fails the test where the worker breaks its own: a row
//! written twice, a row missing, a value that goes back in event time. What claims something about Kafka and Redis is
//! tested on them (`../end_to_end`).

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

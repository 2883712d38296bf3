//! Stops, kills and moves the real worker, event by event, with real checkpoints in a folder.
//!
//! A script replaces Kafka and memory replaces Redis, so that a test can choose the exact moment. The memory behaves like a
//! fenced store. It fails the test when a row is written twice, is missing, or goes back in event time. Tests with real
//! Kafka and Redis are in `../end_to_end`.

#![expect(clippy::panic, clippy::print_stdout, reason = "helpers of tests fail and report as tests do")]

#[path = "../support/conformance_cases.rs"]
mod conformance_cases;
#[path = "../support/folder_copy.rs"]
mod folder_copy;
#[path = "../support/seeded_random.rs"]
mod seeded_random;
#[path = "../support/job.rs"]
mod shared_job;

mod checkpoint_metrics;
mod conformance;
mod damage;
mod faults;
mod faulty_store;
mod job;
mod large_state;
mod lost_rows;
mod memory_rows;
mod record_keys;
mod scripted_source;
mod truncated_log;
mod views;

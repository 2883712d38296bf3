//! Flink's REST API over fixed reports: every answer, every malformed request, and operations on the job. That Flink's own client reads these answers is shown by `reads.rs`, and by the end-to-end tests of the binary.

// Helpers of tests fail and report as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

mod answers;
mod faults;
mod operations;
mod reads;
mod reports;
mod support;

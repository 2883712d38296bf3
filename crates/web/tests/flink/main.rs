//! Flink's REST API over fixed reports: every answer, every malformed request, and operations on the job. That Flink's own client reads these answers is shown by `reads.rs`, and by the end-to-end tests of the binary.

#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

mod answers;
mod faults;
mod operations;
mod reads;
mod reports;
mod support;

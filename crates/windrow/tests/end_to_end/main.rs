//! The whole job on real Apache Kafka and real Redis.
//!
//! Kafka is the one at `WINDROW_TEST_KAFKA` (`./test.sh` starts it); each test makes topics and groups of its own there.
//! Each test starts a `redis-server` of its own, because some of them stop it.

#![expect(clippy::panic, clippy::print_stdout, reason = "helpers of tests fail and report as tests do")]

#[path = "../support/conformance_cases.rs"]
mod conformance_cases;
#[path = "../support/folder_files.rs"]
mod folder_files;
#[path = "../support/seeded_random.rs"]
mod seeded_random;

mod bounded;
mod chaos;
mod clock_rules;
mod contested;
mod dead_letters;
mod flink_cli;
mod input;
mod instance_names;
mod kill;
mod late_events;
mod late_firings;
mod live;
mod lost_offset;
mod lost_rows;
mod membership;
mod moving;
mod oversized;
mod parked;
mod pipeline_versions;
mod rebalance;
mod restart;
mod restore_latency;
mod s3;
mod sample;
mod savepoint;
mod secrets;
mod sick_store;
mod support;
mod topic;
mod truncated_log;
mod web;

//! The Kafka UI's JSON on a real Apache Kafka (`WINDROW_TEST_KAFKA=host:port`): what scripts and pages get.

#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

mod support;

mod away;
mod groups;
mod hostile;
mod messages;
mod questions;
mod send;
mod tail;
mod topics;

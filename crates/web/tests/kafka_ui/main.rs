//! The Kafka UI's JSON on a real Apache Kafka (`WINDROW_TEST_KAFKA=host:port`): what scripts and pages get.

// Helpers of tests fail and report as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

mod support;

mod away;
mod groups;
mod hostile;
mod messages;
mod questions;
mod send;
mod tail;
mod topics;

//! The object stores: one contract, and every kind of store held to it.
//!
//! A local directory and memory are always here. S3 is a server of its own (`dev/s3.sh`), named by `WINDROW_TEST_S3`,
//! and one whose requests go wrong by `WINDROW_TEST_S3_FAULTS` (`http://localhost:PORT`, bucket `windrow`).

#![expect(clippy::panic, clippy::print_stdout, reason = "helpers of tests fail and report as tests do")]

mod contract;
mod disk;
mod killed;
mod outage;
mod places;
mod stores;
mod web;

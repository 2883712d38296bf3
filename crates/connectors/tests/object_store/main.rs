//! The object stores: one contract, and every kind of store held to it.
//!
//! A local directory and memory are always here. S3 is a server of its own (`dev/s3.sh`), named by `WINDROW_TEST_S3`,
//! and one whose requests go wrong by `WINDROW_TEST_S3_FAULTS` (`http://localhost:PORT`, bucket `windrow`).

// Helpers of tests fail and report as tests do.
#![allow(clippy::panic, clippy::print_stdout)]

mod contract;
mod disk;
mod killed;
mod outage;
mod places;
mod stores;
mod web;

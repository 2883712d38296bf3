//! The Redis sink on a real `redis-server`: what a row is, who may see what, and everything that goes wrong.
//!
//! Needs nothing but the `redis-server` binary; every test starts its own.

mod atomicity;
mod delayed;
mod features;
mod feed;
mod order;
mod outage;
mod refusal;
mod rows;
mod server;
mod start;

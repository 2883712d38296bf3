//! The Redis sink on a real `redis-server`: what a row is, who may see what, and everything that goes wrong.
//!
//! Needs nothing but the `redis-server` binary; every test starts its own.

mod atomicity;
mod claims;
mod counts;
mod delayed;
mod features;
mod feed;
mod network;
mod order;
mod outage;
mod recent;
mod refusal;
mod rewound;
mod rows;
mod server;
mod start;
mod zombie;

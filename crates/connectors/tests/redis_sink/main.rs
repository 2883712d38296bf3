//! The Redis sink on a real `redis-server`: rows, fences, and all kinds of faults.
//!
//! Needs the `redis-server` binary. Every test starts its own server.

mod acknowledgement;
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
mod shared_wait;
mod start;
mod zombie;

//! The path from queued batches to transactions in Redis.
//!
//! A worker's sink pushes a batch into the [`queue`]. The [`writer_thread`] takes as many batches as fit into one
//! transaction. [`transaction`] uses the fences to decide which rows are written. [`connection`] sends the commands of
//! a [`command_list`] and matches each reply to its command. With `wait_replicas` or `wait_aof`, executed batches and
//! claims stay [`unacknowledged`] until one wait ([`acknowledgement`]) for all of them.

pub(crate) mod acknowledgement;
pub(crate) mod command_list;
pub(crate) mod connection;
pub(crate) mod first_connection;
pub(crate) mod queue;
pub(crate) mod retry_pause;
pub(crate) mod transaction;
pub(crate) mod unacknowledged;
pub(crate) mod writer_thread;

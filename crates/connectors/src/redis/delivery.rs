//! From queued batches to transactions in Redis: the writer thread and what it works with.
//!
//! The way of a row: a worker's sink pushes its batch into the [`queue`]; the [`thread`](mod@thread) takes as many as fit
//! into one transaction; [`transaction`] decides with the fences which rows are written; [`connection`] sends the
//! commands of a [`command_list`] and matches the replies to them.

pub(crate) mod command_list;
pub(crate) mod connection;
pub(crate) mod queue;
pub(crate) mod retry_pause;
pub(crate) mod startup;
pub(crate) mod thread;
pub(crate) mod transaction;

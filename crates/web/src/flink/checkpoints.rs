//! `/jobs/:id/checkpoints`.
//!
//! Flink's checkpoint is of the whole job; Windrow's checkpoints are of one partition each. A *round* is shown as one
//! checkpoint: the checkpoints that were cut within the same interval (`[checkpoint] every`), counted from the epoch. Its id
//! is the beginning of the interval in epoch milliseconds, so it grows, is the same on every instance, and survives a
//! restart. A savepoint is one round, with an id from its name.

mod config;
mod round;
mod statistics;
mod summary;

pub(super) use config::render_checkpoint_config;
pub(super) use round::{CheckpointRound, checkpoint_rounds};
pub(super) use statistics::{render_checkpoint_details, render_checkpoint_statistics};
pub(super) use summary::render_summary;

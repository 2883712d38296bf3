//! Renders `/jobs/:id/checkpoints`.
//!
//! A checkpoint of Flink covers the whole job; a checkpoint of Windrow covers one partition. A *round* is a group of
//! partition checkpoints that is shown as one checkpoint. It holds the checkpoints that began within the same interval
//! (`[checkpoint] every`), counted from the Unix epoch. The id of a round is the start of its interval in epoch
//! milliseconds. Ids therefore grow, are the same on every instance, and survive a restart. A savepoint is a round with
//! an id from the savepoint's name.

mod config;
mod round;
mod statistics;
mod summary;

pub(super) use config::render_checkpoint_config;
pub(super) use round::{CheckpointRound, collect_checkpoint_rounds};
pub(super) use statistics::{render_checkpoint_details, render_checkpoint_statistics};
pub(super) use summary::render_distribution;

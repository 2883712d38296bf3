//! `/jobs/:id/checkpoints`.
//!
//! A checkpoint of Flink's is of the whole job; Windrow's are of one partition each. What is shown as one checkpoint is a
//! round: the checkpoints that were cut within the same interval (`[checkpoint] every`), counted from the epoch. Its id is
//! the interval's beginning in epoch milliseconds: it grows, every instance gives the same, and a restart does not change
//! it. A savepoint is one checkpoint, with an id from its name.

mod config;
mod history;
mod statistics;

pub(super) use config::render_checkpoint_config;
pub(super) use history::{CheckpointRound, checkpoint_rounds};
pub(super) use statistics::{render_checkpoint_details, render_checkpoint_statistics, render_summary};

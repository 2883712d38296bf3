//! Renders `/jobs/:id/checkpoints`.
//!
//! A checkpoint of Flink covers the whole job; a checkpoint of Windrow covers one partition. A *round* is a group of
//! partition checkpoints that Flink's API shows as one checkpoint. Intervals of equal length divide the time since the
//! Unix epoch. Their length is the checkpoint interval of the pipeline (`every` in the section `[checkpoint]`). All
//! checkpoints of a round began within the same interval. The id of a round is the start of this interval, in
//! milliseconds since the epoch. Therefore a newer round has a larger id, and an id is the same on every instance and
//! after a restart. A savepoint is a round of its own. The name of the savepoint determines the id of this round.

mod config;
mod round;
mod statistics;
mod summary;

pub(super) use config::{CHECKPOINT_TIMEOUT_MS, render_checkpoint_config};
pub(super) use round::{CheckpointRound, collect_checkpoint_rounds};
pub(super) use statistics::{render_checkpoint_details, render_checkpoint_statistics};
pub(super) use summary::render_distribution;

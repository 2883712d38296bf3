//! Halts because of the job's state: whose it is, whether it can be read, and the store it lies in.

use std::fmt;

use super::parts::SharedError;
use crate::checkpoint::format::{FormatFault, UnusableObject};
use crate::checkpoint::manifest::CheckpointId;
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Epoch, Partition};

/// A pipeline and the topic it reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobName {
    /// The pipeline's name.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline `{}` over topic `{}`", self.pipeline, self.topic)
    }
}

/// State that does not belong to this job, or that is not there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForeignState {
    /// The state is of another pipeline or topic.
    #[error("the state in {place} is of {stored}, not of `{}` over `{}`", job.pipeline, job.topic)]
    OtherJob {
        /// Where it lies.
        place: String,
        /// The job it is of.
        stored: Box<JobName>,
        /// The job that reads it.
        job: Box<JobName>,
    },
    /// The place that the job should begin from holds no state of a partition.
    #[error("there is no state of partition {partition} in {place}")]
    NoPartition {
        /// The place.
        place: String,
        /// The partition.
        partition: Partition,
    },
    /// A savepoint was requested of a job without checkpoints.
    #[error(
        "there is no checkpoint in {place}: nothing has run with this pipeline file and group, or it has not completed its \
         first checkpoint yet"
    )]
    NoCheckpoint {
        /// The place of the job's checkpoints.
        place: String,
    },
}

/// Feature views that changed since a checkpoint, so that their state fits no view any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "feature views changed since checkpoint {checkpoint} of partition {partition}; the state of these fits no view any \
     more: {}", dropped.iter().map(|view| format!("`{}`", view.name)).collect::<Vec<_>>().join(", ")
)]
pub struct ChangedViews {
    /// The checkpoint that holds the state.
    pub checkpoint: CheckpointId,
    /// Its partition.
    pub partition: Partition,
    /// The views whose state would be dropped.
    pub dropped: Vec<DroppedView>,
    /// The names of the views whose state is kept.
    pub kept: Vec<String>,
}

/// A view whose state fits no view of the pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedView {
    /// Its name in the state.
    pub name: String,
    /// What became of it in the pipeline.
    pub change: ViewChange,
}

/// What became of a view whose state would be dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewChange {
    /// It has another definition.
    Redefined {
        /// Its definition in the state.
        stored: String,
        /// Its definition in the pipeline.
        current: String,
    },
    /// The pipeline has no view of that name.
    Removed,
}

/// An object of a format that only a newer version reads.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object} in {place} cannot be read")]
pub struct NewerState {
    /// The object's name.
    pub object: String,
    /// The place it lies in.
    pub place: String,
    /// Which versions are known.
    pub source: FormatFault,
}

/// State that is there, or should be, and cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DamagedState {
    /// A partition has checkpoints, and none can be read.
    #[error(
        "no checkpoint of partition {partition} in {place} can be read ({})",
        damaged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NoReadableCheckpoint {
        /// The place of the checkpoints.
        place: String,
        /// The partition.
        partition: Partition,
        /// What is wrong with each of them, newest first.
        damaged: Vec<DamagedCheckpoint>,
    },
    /// The store of rows knows a partition that has no checkpoint.
    #[error(
        "the store of rows knows partition {partition} under epoch {epoch}, but there is no checkpoint of it in {place}"
    )]
    MissingCheckpoint {
        /// The place where a checkpoint should be.
        place: String,
        /// The partition.
        partition: Partition,
        /// The epoch in the store of rows.
        epoch: Epoch,
    },
}

/// A checkpoint that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("checkpoint {id}: {object}")]
pub struct DamagedCheckpoint {
    /// The checkpoint.
    pub id: CheckpointId,
    /// The object of it that cannot be used.
    pub object: UnusableObject,
}

/// Why the checkpoint store ends a job, or an operation on its state.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointStoreFault {
    /// The store refuses an operation.
    #[error("the checkpoint store {place} refuses")]
    Refused {
        /// The place of the store.
        place: String,
        /// Its answer.
        source: StoreFault,
    },
    /// A savepoint was not taken because a store failed.
    #[error("no savepoint")]
    SavepointFailed {
        /// The store's answer.
        source: StoreFault,
    },
    /// A partition of a savepoint was confirmed, but is not in its place.
    #[error(
        "no savepoint: partition {partition} was confirmed, but cannot be read in {place}. Do all instances reach that place \
         under the same name?"
    )]
    UnreadableSavepoint {
        /// The place of the savepoint.
        place: String,
        /// The partition.
        partition: Partition,
    },
    /// A thread cannot be started.
    #[error("the thread `{thread}` cannot be started")]
    ThreadNotStarted {
        /// The thread's name.
        thread: &'static str,
        /// Why.
        source: SharedError,
    },
    /// A partition was to change into a phase that does not follow its own: a bug.
    #[error("the state of a partition cannot be kept")]
    IllegalTransition {
        /// The phases.
        source: SharedError,
    },
    /// The thread for checkpoints broke down: a bug.
    #[error("the thread for checkpoints broke down; this is a bug in Windrow")]
    ThreadBrokeDown,
}

/// A partition that a process outside this consumer group claims again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "partition {partition} is claimed again and again by a process that is not a member of our consumer group, but uses \
     the same checkpoint store or store of rows, pipeline name and group name"
)]
pub struct ContestedPartition {
    /// The partition.
    pub partition: Partition,
}

//! Halts that the job's state causes: foreign, changed, newer or damaged state, and faults of the checkpoint store.

use std::fmt;

use super::parts::SharedError;
use crate::checkpoint::format::{FormatFault, UnusableObject};
use crate::checkpoint::manifest::CheckpointId;
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Epoch, Partition};

/// A pipeline and the topic that the pipeline reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineAndTopic {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The topic.
    pub topic: String,
}

impl fmt::Display for PipelineAndTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline `{}` over topic `{}`", self.pipeline, self.topic)
    }
}

/// State that belongs to another job, or that does not exist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForeignState {
    /// The state belongs to another pipeline or topic.
    #[error("the state in {place} is of {stored}, not of `{}` over `{}`", job.pipeline, job.topic)]
    OtherJob {
        /// The place of the state.
        place: String,
        /// The job that wrote the state.
        stored: Box<PipelineAndTopic>,
        /// The job that tried to read the state.
        job: Box<PipelineAndTopic>,
    },
    /// The restore source of the job holds no state of a partition.
    #[error("there is no state of partition {partition} in {place}")]
    NoPartition {
        /// The place of the restore source.
        place: String,
        /// The partition.
        partition: Partition,
    },
    /// A savepoint was requested, but the job has no checkpoint.
    #[error(
        "there is no checkpoint in {place}: nothing has run with this pipeline file and group, or it has not completed its \
         first checkpoint yet"
    )]
    NoCheckpoint {
        /// The place of the job's checkpoints.
        place: String,
    },
}

/// Feature views that changed since a checkpoint, so their stored state fits no view of the pipeline.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "feature views changed since checkpoint {checkpoint} of partition {partition}; the state of these fits no view any \
     more: {}", dropped.iter().map(|view| format!("`{}`", view.name)).collect::<Vec<_>>().join(", ")
)]
pub struct ChangedViews {
    /// The checkpoint that holds the state.
    pub checkpoint: CheckpointId,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The views whose state would be dropped.
    pub dropped: Vec<DroppedView>,
    /// The names of the views whose state is kept.
    pub kept_view_names: Vec<String>,
}

/// A view whose state fits no view of the pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedView {
    /// The name of the view in the stored state.
    pub name: String,
    /// The change of the view in the pipeline.
    pub change: ViewChange,
}

/// The change that makes a view's stored state unusable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewChange {
    /// The pipeline defines the view differently.
    Redefined {
        /// The definition in the stored state.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline has no view of the same name.
    Removed,
}

/// An object whose format only a newer version of Windrow reads.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object} in {place} cannot be read")]
pub struct NewerState {
    /// The name of the object.
    pub object: String,
    /// The place of the store that holds the object.
    pub place: String,
    /// The fault, with the found and the known format version.
    pub source: FormatFault,
}

/// State that is damaged or missing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DamagedState {
    /// A partition has checkpoints, but none can be read.
    #[error(
        "no checkpoint of partition {partition} in {place} can be read ({})",
        damaged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NoReadableCheckpoint {
        /// The place of the checkpoints.
        place: String,
        /// The partition.
        partition: Partition,
        /// The damaged checkpoints, newest first.
        damaged: Vec<DamagedCheckpoint>,
    },
    /// The row store has a claim of a partition that has no checkpoint.
    #[error(
        "the store of rows knows partition {partition} under epoch {epoch}, but there is no checkpoint of it in {place}"
    )]
    MissingCheckpoint {
        /// The place of the checkpoint store.
        place: String,
        /// The partition.
        partition: Partition,
        /// The epoch of the claim in the row store.
        epoch: Epoch,
    },
}

/// A checkpoint that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("checkpoint {id}: {object}")]
pub struct DamagedCheckpoint {
    /// The checkpoint.
    pub id: CheckpointId,
    /// The object of the checkpoint that cannot be used.
    pub object: UnusableObject,
}

/// A fault of the checkpoint store that ends a job or an operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointStoreFault {
    /// The store refuses an operation.
    #[error("the checkpoint store {place} refuses")]
    Refused {
        /// The place of the store.
        place: String,
        /// The answer of the store.
        source: StoreFault,
    },
    /// A savepoint was not taken because a store failed.
    #[error("no savepoint")]
    SavepointFailed {
        /// The answer of the store.
        source: StoreFault,
    },
    /// A partition of a savepoint was confirmed, but cannot be read in the savepoint's place.
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
        /// The name of the thread.
        thread: &'static str,
        /// The error of starting the thread.
        source: SharedError,
    },
    /// A partition was about to enter a phase that may not follow its current phase, which is a bug.
    #[error("the state of a partition cannot be kept")]
    IllegalTransition {
        /// The illegal transition, with both phases.
        source: SharedError,
    },
    /// The checkpoint thread ended unexpectedly, which is a bug.
    #[error("the thread for checkpoints broke down; this is a bug in Windrow")]
    ThreadBrokeDown,
}

/// A partition that a process outside this consumer group claims repeatedly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "partition {partition} is claimed again and again by a process that is not a member of our consumer group, but uses \
     the same checkpoint store or store of rows, pipeline name and group name"
)]
pub struct ContestedPartition {
    /// The partition.
    pub partition: Partition,
}

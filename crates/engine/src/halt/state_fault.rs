//! Halts because of stored state: state of another job, changed views, newer formats, damaged objects, faults of the
//! checkpoint store.

use std::fmt;

use super::error_chain::SharedError;
use crate::checkpoint::manifest::CheckpointId;
use crate::checkpoint::object_errors::{ObjectFault, UnusableObject};
use crate::checkpoint::store::StoreFault;
use crate::identifiers::{Epoch, Partition};

/// A pipeline and the topic that the pipeline reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineAndTopic {
    /// The name of the pipeline.
    pub pipeline_name: String,
    /// The topic.
    pub topic: String,
}

impl fmt::Display for PipelineAndTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline `{}` on topic `{}`", self.pipeline_name, self.topic)
    }
}

/// The reason why a job cannot continue from stored state: the state belongs to another job or does not exist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForeignState {
    /// The state belongs to another pipeline or topic.
    #[error("the state in {place} belongs to {stored}, not to {job}")]
    OtherJob {
        /// The path or URL of the state.
        place: String,
        /// The job that wrote the state.
        stored: Box<PipelineAndTopic>,
        /// The job that should continue from the state.
        job: Box<PipelineAndTopic>,
    },
    /// The job begins from a savepoint or from another job's checkpoints, but these lack the state of one partition.
    #[error("{place} holds no state of partition {partition}")]
    NoPartition {
        /// The path or URL of the savepoint or of the other job's checkpoints.
        place: String,
        /// The partition.
        partition: Partition,
    },
    /// A savepoint was requested, but the job has no checkpoint.
    #[error("there is no checkpoint in {place}")]
    NoCheckpoint {
        /// The path or URL of the job's checkpoints.
        place: String,
    },
}

/// A halt because the pipeline cannot use the stored state of some feature views or features in a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "feature views changed since checkpoint {checkpoint_id} of partition {partition}. The pipeline cannot use the stored \
     state of these views: {}", dropped_views.iter().map(|view| format!("`{}`", view.view_name)).collect::<Vec<_>>().join(", ")
)]
pub struct ChangedViews {
    /// The checkpoint that holds the state.
    pub checkpoint_id: CheckpointId,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The views whose state the job would drop.
    pub dropped_views: Vec<DroppedView>,
    /// The names of the views whose whole state the job would keep.
    pub kept_view_names: Vec<String>,
}

/// A feature view in a checkpoint. No view of the pipeline can use its stored state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedView {
    /// The name of the view in the checkpoint.
    pub view_name: String,
    /// The reason why no view of the pipeline can use the stored state.
    pub view_change: ViewChange,
}

/// The way in which a pipeline changed a feature view. The change makes the view's stored state unusable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewChange {
    /// The pipeline defines the view differently.
    Redefined {
        /// The definition in the checkpoint.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline has no view of the same name.
    Removed,
    /// The windows of the view are kept, but not the state of some features.
    FeaturesChanged {
        /// The features whose state the job would drop.
        dropped_features: Vec<DroppedFeature>,
        /// The names of the features whose state the job would keep.
        kept_feature_names: Vec<String>,
    },
}

/// A feature in a checkpoint. No feature of the pipeline can use its stored state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedFeature {
    /// The name of the feature in the checkpoint.
    pub feature_name: String,
    /// The definition in the checkpoint.
    pub stored_definition: String,
    /// The definition of the feature with this name in the pipeline; `None` if there is none.
    pub pipeline_definition: Option<String>,
}

/// An object that only a newer version of Windrow can read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot read {object_name} in {store_place}")]
pub struct NewerState {
    /// The name of the object.
    pub object_name: String,
    /// The path or URL of the store that holds the object.
    pub store_place: String,
    /// The fault that names two format versions: the version of the object, and the newest version that this version of
    /// Windrow reads.
    pub source: ObjectFault,
}

/// The reason why the state of a partition cannot be restored: the state is damaged or missing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DamagedState {
    /// All checkpoints of a partition are unreadable.
    #[error(
        "no checkpoint of partition {partition} in {place} can be read ({})",
        damaged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    NoReadableCheckpoint {
        /// The path or URL of the checkpoints.
        place: String,
        /// The partition.
        partition: Partition,
        /// The damaged checkpoints, newest first.
        damaged: Vec<DamagedCheckpoint>,
    },
    /// The row store holds a fence of a partition, but the checkpoint store holds no checkpoint of the partition.
    #[error(
        "the row store has a fence of partition {partition} with epoch {epoch}, but {place} holds no checkpoint of this \
         partition"
    )]
    MissingCheckpoint {
        /// The path or URL of the checkpoint store.
        place: String,
        /// The partition.
        partition: Partition,
        /// The epoch in the partition's fence.
        epoch: Epoch,
    },
}

/// A checkpoint that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("checkpoint {checkpoint_id}: {unusable_object}")]
pub struct DamagedCheckpoint {
    /// The id of the checkpoint.
    pub checkpoint_id: CheckpointId,
    /// The first object of the checkpoint that cannot be used.
    pub unusable_object: UnusableObject,
}

/// A fault of the checkpoint store, of a checkpoint or of a savepoint. No retry resolves the fault.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointStoreFault {
    /// The store refused an operation.
    #[error("the checkpoint store {place} refused an operation")]
    Refused {
        /// The path or URL of the checkpoint store.
        place: String,
        /// The answer of the store.
        source: StoreFault,
    },
    /// A savepoint was not taken, because a partition is parked.
    #[error("the savepoint was not taken: partition {partition} is parked because of a fault: {fault}")]
    ParkedPartitionInSavepoint {
        /// The parked partition.
        partition: Partition,
        /// The fault of the partition.
        fault: String,
    },
    /// A savepoint was not taken, because the job's checkpoint store or the savepoint's store failed.
    #[error("the savepoint was not taken")]
    SavepointFailed {
        /// The answer of the store.
        source: StoreFault,
    },
    /// The owner of a partition confirmed the partition, but the savepoint contains no readable manifest of this
    /// partition.
    #[error(
        "the savepoint was not taken: the owner of partition {partition} confirmed it, but {place} holds no readable \
         manifest of this partition. Check that all instances reach this place under the same name"
    )]
    UnreadableSavepoint {
        /// The path or URL of the savepoint.
        place: String,
        /// The partition.
        partition: Partition,
    },
    /// A thread cannot be started.
    #[error("cannot start the thread `{thread}`")]
    ThreadNotStarted {
        /// The name of the thread.
        thread: &'static str,
        /// The error of starting the thread.
        source: SharedError,
    },
    /// A worker tried to move a partition to a phase that must not follow the current phase. This is a bug in Windrow.
    #[error("illegal change of a partition's phase")]
    IllegalTransition {
        /// The error that names the two phases.
        source: SharedError,
    },
    /// The checkpoint thread ended unexpectedly. This is a bug in Windrow.
    #[error("the checkpoint thread ended unexpectedly; this is a bug in Windrow")]
    ThreadBrokeDown,
}

/// A partition that a process outside the job's consumer group claims again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a process outside the consumer group claims partition {partition} again and again. It uses the same pipeline name and \
     group name, and the same checkpoint store or row store"
)]
pub struct ContestedPartition {
    /// The partition.
    pub partition: Partition,
}

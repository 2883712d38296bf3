//! The settings with which a job stores and restores its state.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::savepoint_request::CurrentSavepointRequest;
use super::store::CheckpointStore;
use crate::{Halt, RowFence};

/// Returns a halt if the topic is no longer the topic that the job began with. Any thread may call this function, which
/// returns within seconds.
pub type TopicIdentityCheck = Arc<dyn Fn() -> Result<(), Halt> + Send + Sync>;

/// Identifies the job that a checkpoint belongs to. A job restores only checkpoints whose manifest has the same
/// identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateIdentity {
    /// The name of the pipeline.
    pub pipeline_name: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The id of the topic; `None` if the source has no topic ids.
    pub topic_id: Option<String>,
    /// The number of partitions of the topic.
    pub partition_count: i32,
}

/// The savepoint, or the checkpoint folder of another job, whose state a new job begins with.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// The store whose folder is the savepoint, or the checkpoint folder of the other job.
    pub source_store: Arc<dyn CheckpointStore>,
}

/// The settings of a job's checkpoints. All workers of a process share these settings.
#[derive(Clone)]
pub struct CheckpointConfig {
    /// The identity that a restored checkpoint must have.
    pub state_identity: StateIdentity,
    /// The store of this job's checkpoints. No other pipeline or consumer group may use the same folder.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// The savepoint request that the workers carry out.
    pub current_savepoint_request: CurrentSavepointRequest,
    /// The fence of the row store, at which each partition is claimed before its records are read.
    pub row_fence: Arc<dyn RowFence>,
    /// The check of the topic that runs before each manifest is created.
    pub topic_identity_check: TopicIdentityCheck,
    /// The time between two checkpoints of a partition.
    pub checkpoint_interval: Duration,
    /// The number of checkpoints kept per partition; at least 1.
    pub kept_checkpoints_per_partition: usize,
    /// The state to begin with, once, instead of this job's own checkpoints. A restart continues from the job's own
    /// checkpoints.
    pub restore_source: Option<RestoreSource>,
    /// The names of the views whose stored state may be dropped if the view has changed or is gone.
    pub droppable_view_names: BTreeSet<String>,
    /// Whether the job accepts state that was written when the topic had fewer partitions.
    pub accepts_added_partitions: bool,
    /// The name of this process in epochs and manifests. No other process has the same name.
    pub process_name: String,
}

impl fmt::Debug for CheckpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointConfig")
            .field("state_identity", &self.state_identity)
            .field("checkpoint_store", &self.checkpoint_store)
            .finish_non_exhaustive()
    }
}

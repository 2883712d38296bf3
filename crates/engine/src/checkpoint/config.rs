//! The settings under which a job stores its state.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::savepoint_request::CurrentSavepointRequest;
use super::store::CheckpointStore;
use crate::{Halt, RowFence};

/// Checks whether the topic is still the one that the job began with. Any thread may call it; the call returns within
/// seconds.
pub type TopicIdentityCheck = Arc<dyn Fn() -> Result<(), Halt> + Send + Sync>;

/// Identifies the job that state belongs to. A checkpoint is restored only where its manifest agrees with this
/// identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateIdentity {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The id of that topic; `None` where the source has no topic ids.
    pub topic_id: Option<String>,
    /// The number of partitions of the topic.
    pub partition_count: i32,
}

/// A savepoint, or the checkpoint folder of another job, that this job begins from.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// The store that holds the savepoint or the folder.
    pub store: Arc<dyn CheckpointStore>,
}

/// The settings of a job's checkpoints. All workers of the job share them.
#[derive(Clone)]
pub struct CheckpointConfig {
    /// The job that the state must belong to.
    pub identity: StateIdentity,
    /// The store of this job's checkpoints. No other pipeline or consumer group may use the same place.
    pub store: Arc<dyn CheckpointStore>,
    /// The savepoint request that the workers currently see.
    pub current_savepoint_request: CurrentSavepointRequest,
    /// The fence of the row store.
    pub row_fence: Arc<dyn RowFence>,
    /// The check that runs before a checkpoint is completed.
    pub topic_check: TopicIdentityCheck,
    /// The time between two checkpoints of a partition.
    pub checkpoint_interval: Duration,
    /// The number of checkpoints kept per partition; at least 1.
    pub kept_checkpoints_per_partition: usize,
    /// The source to begin from, once, instead of this job's own checkpoints.
    pub restore_source: Option<RestoreSource>,
    /// The names of the views whose stored state may be dropped.
    pub droppable_view_names: BTreeSet<String>,
    /// Whether the job accepts state that was written when the topic had fewer partitions.
    pub accepts_added_partitions: bool,
    /// The name of this process in epochs and manifests. No other process has the same name.
    pub process_name: String,
}

impl fmt::Debug for CheckpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointConfig")
            .field("identity", &self.identity)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

//! The settings with which a job stores and restores its state.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::savepoint_request::CurrentSavepointRequest;
use super::snapshot_limits::SnapshotLimits;
use super::store::CheckpointStore;
use super::store_findings::StoreFindings;
use crate::{Halt, LogHistory, RowFence};

/// A function that returns a halt if the topic was deleted or created again after the job began, and otherwise the id of
/// the topic if the source has reported it. The source may report it only after the job began. Any thread may call this
/// function. The function returns within seconds.
pub type TopicIdentityCheck = Arc<dyn Fn() -> Result<Option<String>, Halt> + Send + Sync>;

/// The pipeline and the topic that a checkpoint belongs to. A job restores only checkpoints of its own pipeline and
/// topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateIdentity {
    /// The name of the pipeline.
    pub pipeline_name: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The id of the topic; `None` if the source has not reported it when the job began. Checkpoints then contain the id
    /// that [`CheckpointConfig::topic_identity_check`] returns.
    pub topic_id: Option<String>,
    /// The number of partitions of the topic.
    pub partition_count: i32,
}

/// The state that a new job begins with: a savepoint, or the checkpoint folder of another job.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// The store that holds the savepoint or the other job's checkpoints.
    pub source_store: Arc<dyn CheckpointStore>,
}

/// What a worker does with a partition that has a fault of its own, such as damaged state or a lost offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionFaultPolicy {
    /// The worker parks the partition, continues with its other partitions, and opens the partition again later.
    Park,
    /// The job halts.
    Halt,
}

/// The settings of a job's checkpoints. All workers of a process share these settings.
#[derive(Clone)]
pub struct CheckpointConfig {
    /// The pipeline and the topic of this job. The job restores only checkpoints of this pipeline and topic.
    pub state_identity: StateIdentity,
    /// The store of this job's checkpoints. No other job may use the same store folder.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// The savepoint request that the workers of this process carry out.
    pub current_savepoint_request: CurrentSavepointRequest,
    /// The fence of the row store. The checkpoint thread claims each partition at this fence before the worker reads
    /// the partition's records.
    pub row_fence: Arc<dyn RowFence>,
    /// The checkpoint thread calls this function before it creates a manifest. The function checks that the topic was
    /// not deleted or created again.
    pub topic_identity_check: TopicIdentityCheck,
    /// The history of the topic's partitions. The checkpoint thread asks it whether the log still holds the records
    /// before a checkpoint, and those of the rows in the row store.
    pub log_history: Arc<dyn LogHistory>,
    /// The time between two checkpoints of a partition.
    pub checkpoint_interval: Duration,
    /// The number of checkpoints that are kept per partition, at least 1.
    pub kept_checkpoints_per_partition: usize,
    /// The state that the job begins with at its first start, instead of its own checkpoints. After a restart with the
    /// same restore source, the job continues from its own checkpoints.
    pub restore_source: Option<RestoreSource>,
    /// The names of the stored state that the job may drop: `VIEW`, or `VIEW.FEATURE`. State is dropped only if the pipeline
    /// defines the view or feature differently, or no longer has it.
    pub droppable_state_names: BTreeSet<String>,
    /// Whether the job accepts checkpoints that were taken when the topic had another number of partitions.
    pub accepts_added_partitions: bool,
    /// What a worker does with a partition that has a fault of its own.
    pub partition_fault_policy: PartitionFaultPolicy,
    /// What the workers of this process have found out about the store.
    pub store_findings: StoreFindings,
    /// The bounds within which the workers save snapshots.
    pub snapshot_limits: SnapshotLimits,
    /// The unique name of this process. Windrow writes the name into epoch objects and manifests.
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

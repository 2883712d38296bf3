//! How a job keeps its state.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::savepoint_request::SavepointRequests;
use super::store::CheckpointStore;
use crate::{Halt, RowFence};

/// Checks whether the topic is still the one the job began with. May be called from any thread; returns within seconds.
pub type TopicCheck = Arc<dyn Fn() -> Result<(), Halt> + Send + Sync>;

/// Whose state it is: what a checkpoint must agree with to be restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateIdentity {
    /// The pipeline's name.
    pub pipeline: String,
    /// The topic the events come from.
    pub topic: String,
    /// The id of that topic, where the source knows ids.
    pub topic_id: Option<String>,
    /// The topic's number of partitions.
    pub partitions: i32,
}

/// A savepoint, or the folder of another job's checkpoints, to begin from.
#[derive(Clone, Debug)]
pub struct RestoreSource {
    /// Where it lies.
    pub store: Arc<dyn CheckpointStore>,
}

/// How a job keeps its state; the same for all its workers.
#[derive(Clone)]
pub struct CheckpointConfig {
    /// What the state must belong to.
    pub identity: StateIdentity,
    /// Where this job's checkpoints are stored: a place that belongs to its pipeline and consumer group alone.
    pub store: Arc<dyn CheckpointStore>,
    /// The savepoints that are requested.
    pub savepoint_requests: SavepointRequests,
    /// The fence of the store of rows.
    pub fence: Arc<dyn RowFence>,
    /// Called before a checkpoint is completed.
    pub topic_check: TopicCheck,
    /// Time between two checkpoints of a partition.
    pub interval: Duration,
    /// Generations kept per partition; at least 1.
    pub kept_generations: usize,
    /// What to begin from instead of this job's own checkpoints, once.
    pub restore_source: Option<RestoreSource>,
    /// Views whose stored state may be dropped.
    pub droppable_views: BTreeSet<String>,
    /// Whether state of a topic with fewer partitions is accepted.
    pub accepts_added_partitions: bool,
    /// The name of this process in epochs and manifests; different from every other process's.
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

//! Checkpoints: what a partition's shard knew, kept so that the next owner of the partition goes on from there.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* it names: a base that holds everything and the
//! changes since, layer by layer. Offset, watermark and the numbers of the rows produced so far stand in the manifest, so
//! they are never newer or older than the state. Who owns a partition is settled by *epochs*: the one who created the
//! largest is the owner.
//!
//! Owns: names and formats of all objects (`names`, `manifest`, `state`), epochs (`epoch`), opening a partition
//! (`open`), writing in the background (`keeper`), deleting what nobody needs (`retention`), savepoints
//! ([`completed_savepoint`]). Does not own: the bytes of a shard's state (core's snapshots), the place objects lie in
//! ([`CheckpointStore`]), when to take one (the worker).
//!
//! Invariants:
//! 1. A manifest is created only after every object it names, and after the store of rows acknowledged every row produced
//!    before its offset.
//! 2. A checkpoint is complete only when its manifest exists and no larger epoch does. Because the shard is
//!    deterministic, also a manifest that a former owner created late is true: it is only not the newest.
//! 3. Nothing that the newest manifests name is deleted, and the newest epoch never is.
//! 4. What cannot be read is named; the generation before it is used, and where there is none the job halts. Only a
//!    partition without any checkpoint begins with empty state.
//! 5. Every format carries its version inside its checksum; old versions stay readable (`tests/fixtures`).
//!
//! After a crash: objects without a manifest are left over; the next complete checkpoint of that partition deletes them.

mod beginning;
mod epoch;
pub mod inspect;
mod keeper;
mod manifest;
mod names;
mod open;
mod retention;
pub mod savepoint;
mod state;
mod store;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use beginning::beginning_after_gap;
pub(crate) use keeper::{
    CheckpointCommand, CheckpointEvent, CheckpointThreadHandle, SnapshotCompletion, SnapshotOutcome, SnapshotPurpose,
};
pub use manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, ManifestFault, StatePart, StoredView};
pub use names::{default_savepoint_folder, escape_name_segment};
pub(crate) use open::OpenedPartition;
pub use savepoint::SavepointRequests;
pub use store::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};

use crate::{Halt, RowFence};

/// Says whether the topic is still the one the job began with. Called from any thread; waits a moment at most.
pub type TopicCheck = Arc<dyn Fn() -> Result<(), Halt> + Send + Sync>;

/// Whose state it is: what a checkpoint must agree with to be restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateIdentity {
    /// The pipeline's name.
    pub pipeline: String,
    /// The topic the events come from.
    pub topic: String,
    /// Kafka's id of that topic, where the broker knows ids.
    pub topic_id: Option<String>,
    /// Its number of partitions.
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
    /// Where this job's checkpoints are kept: a place that belongs to its pipeline and consumer group alone.
    pub store: Arc<dyn CheckpointStore>,
    /// The savepoints that are asked for.
    pub savepoint_requests: SavepointRequests,
    /// The fence of the store of rows.
    pub fence: Arc<dyn RowFence>,
    /// Asked before a checkpoint is completed.
    pub topic_check: TopicCheck,
    /// Time between two checkpoints of a partition.
    pub interval: Duration,
    /// Generations kept per partition; at least 1.
    pub kept_generations: usize,
    /// What to begin from instead of this job's own checkpoints, once.
    pub restore_source: Option<RestoreSource>,
    /// Views whose stored state may be given up.
    pub droppable_views: BTreeSet<String>,
    /// Whether state of a topic with fewer partitions is accepted.
    pub accepts_added_partitions: bool,
    /// This process, for the people who read epochs; different from every other process's.
    pub process_name: String,
}

impl fmt::Debug for CheckpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints")
            .field("identity", &self.identity)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

//! Checkpoints: what a partition's shard knew, kept so that the next owner of the partition goes on from there.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* it names: a base that holds everything and the
//! changes since, layer by layer. Offset, watermark and the numbers of the rows produced so far stand in the manifest, so
//! they are never newer or older than the state. Who owns a partition is settled by *epochs*: the one who created the
//! largest is the owner.
//!
//! Owns: names and formats of all objects (`names`, `manifest`, `state`), epochs (`epoch`), opening a partition
//! (`open`), writing in the background (`keeper`), deleting what nobody needs (`retention`), savepoints
//! ([`savepoint`]). Does not own: the bytes of a shard's state (core's snapshots), the place objects lie in
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

pub(crate) use beginning::after;
pub(crate) use keeper::{Completion, Keeper, Outcome, Purpose, Report, Task};
pub use manifest::{CheckpointId, Layer, Manifest, ManifestFault, Part, ViewState};
pub use names::{default_savepoint, segment};
pub(crate) use open::Opened;
pub use savepoint::Requests;
pub use store::{CheckpointStore, CheckpointStores, Listed, StoreFault};

use crate::{Fence, Halt};

/// Says whether the topic is still the one the job began with. Called from any thread; waits a moment at most.
pub type TopicGuard = Arc<dyn Fn() -> Result<(), Halt> + Send + Sync>;

/// Whose state it is: what a checkpoint must agree with to be restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
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
pub struct From {
    /// Where it lies.
    pub store: Arc<dyn CheckpointStore>,
}

/// How a job keeps its state; the same for all its workers.
#[derive(Clone)]
pub struct Checkpoints {
    /// What the state must belong to.
    pub identity: Identity,
    /// Where this job's checkpoints are kept: a place that belongs to its pipeline and consumer group alone.
    pub store: Arc<dyn CheckpointStore>,
    /// The savepoints that are asked for.
    pub requests: Requests,
    /// The fence of the store of rows.
    pub fence: Arc<dyn Fence>,
    /// Asked before a checkpoint is completed.
    pub guard: TopicGuard,
    /// Time between two checkpoints of a partition.
    pub every: Duration,
    /// Generations kept per partition; at least 1.
    pub keep: usize,
    /// What to begin from instead of this job's own checkpoints, once.
    pub from: Option<From>,
    /// Views whose stored state may be given up.
    pub drop_state: BTreeSet<String>,
    /// Whether state of a topic with fewer partitions is accepted.
    pub accept_partitions: bool,
    /// This process, for the people who read epochs; different from every other process's.
    pub owner: String,
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints")
            .field("identity", &self.identity)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

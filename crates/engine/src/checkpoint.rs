//! Checkpoints: a partition's shard at an offset, stored so that the partition's next owner continues from there.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* it names: a *base* that holds everything, and the
//! changes since (*deltas*), layer by layer. Offset, watermark and the numbers of the rows emitted so far stand in the
//! manifest, so they are never newer or older than the state. *Epochs* decide who owns a partition: the largest epoch that
//! was claimed is the owner's.
//!
//! From request to completed checkpoint:
//!
//! | step | type | where |
//! |---|---|---|
//! | a request: a checkpoint is due, or a savepoint was requested | `SnapshotPurpose`, [`SavepointRequest`] | worker, `savepoint_request` |
//! | a snapshot: the shard is cut at an offset and saved piece by piece | `ActiveSnapshot`, one `CheckpointCommand::WriteStatePart` per piece | worker |
//! | a draft: pieces that are written as state objects | `CheckpointDraft` of [`StatePart`]s | `partition_checkpoints` |
//! | the pieces are all there, and their rows are in the store of rows | `SnapshotCompletion` | worker |
//! | a manifest that names them | [`CheckpointManifest`] of [`CheckpointLayer`]s | `manifest` |
//! | a completed checkpoint: the manifest is created, and no larger epoch exists | `SnapshotOutcome::Complete` with its [`CheckpointId`] | `checkpoint_thread` |
//!
//! And back: [`StoredCheckpoint`](inspect::StoredCheckpoint) (listed) → `RestoredShard` (read, not yet claimed at the fence)
//! → `OpenedPartition` (claimed, ready to read).
//!
//! Owns: names and formats of all objects (`object_names`, `manifest`, `state_object`), epochs (`epoch`), opening a
//! partition (`find_checkpoint`, `restore_shard`, `claim_partition`), writing in the background (`checkpoint_thread`),
//! deleting what is not needed (`retention`), savepoints (`savepoint_request`, `take_savepoint`). Does not own: the bytes of
//! a shard's state (core's snapshots), the place objects lie in ([`CheckpointStore`]), when to take one (the worker).
//!
//! Invariants:
//! 1. A manifest is created only after every object it names, and after the store of rows acknowledged every row emitted
//!    before its offset.
//! 2. A checkpoint is complete only when its manifest exists and no larger epoch does. The shard is deterministic, so a
//!    manifest that a former owner created late is true as well; it is only not the newest.
//! 3. Nothing that the newest manifests name is deleted, and the newest epoch never is.
//! 4. What cannot be read is named, and the generation before it is used. Where there is none, the job halts. Only a
//!    partition without any checkpoint begins with empty state.
//! 5. Every format carries its version inside its checksum; old versions stay readable (`tests/fixtures`).
//!
//! After a crash: objects without a manifest are left over; the next complete checkpoint of that partition deletes them.

mod checkpoint_thread;
mod checksummed_text;
mod claim_partition;
pub(crate) mod config;
mod create_object;
mod epoch;
mod find_checkpoint;
pub(crate) mod format;
pub mod inspect;
pub(crate) mod manifest;
mod messages;
mod object_names;
mod opened_partition;
mod partition_checkpoints;
mod restore_shard;
mod retention;
mod row_beginning;
mod savepoint_content;
mod savepoint_request;
mod state_object;
pub(crate) mod store;
mod store_retry;
mod take_savepoint;

pub(crate) use checkpoint_thread::CheckpointThreadHandle;
pub use config::{CheckpointConfig, RestoreSource, StateIdentity, TopicCheck};
pub use format::{FormatFault, ObjectDamage, UnusableObject};
pub use manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
pub(crate) use messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, OpenOutcome, SnapshotCompletion, SnapshotOutcome,
    SnapshotPurpose,
};
pub use object_names::{default_savepoint_folder, escape_name_segment, partition_folder};
pub(crate) use opened_partition::OpenedPartition;
pub(crate) use row_beginning::beginning_after_gap;
pub use savepoint_content::SavepointContent;
pub use savepoint_request::{SavepointRequest, SavepointRequests};
pub use store::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use take_savepoint::{SavepointParameters, SavepointProgress, take_savepoint};

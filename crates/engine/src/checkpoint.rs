//! Checkpoints store a partition's shard at an offset. The partition's next owner continues from there.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* that the manifest names. The first layer of
//! state objects is a *base*, which holds all state. The later layers are *deltas*, which hold the changes since the
//! layer before.
//! The manifest also holds the offset, the watermark and the row numbers, so these always fit the state. *Epochs*
//! decide who owns a partition: the owner is the worker that claimed the largest epoch.
//!
//! From request to completed checkpoint:
//!
//! | step | type | where |
//! |---|---|---|
//! | request: a checkpoint is due, or a savepoint was requested | `SnapshotPurpose`, [`SavepointRequest`] | worker, `savepoint_request` |
//! | snapshot: the shard is cut at an offset and saved piece by piece | `ActiveSnapshot`, one `CheckpointCommand::WriteStatePart` per piece | worker |
//! | draft: the pieces that are written as state objects | `CheckpointDraft` of [`StatePart`]s | `partition_checkpoints` |
//! | completion: all pieces are sent, and the row store has all rows before the cut | `SnapshotCompletion` | worker |
//! | manifest: a text that names the pieces | [`CheckpointManifest`] of [`CheckpointLayer`]s | `manifest` |
//! | completed checkpoint: the manifest is created, and no larger epoch exists | `SnapshotOutcome::Complete` with its [`CheckpointId`] | `checkpoint_thread` |
//!
//! The way back: [`StoredCheckpoint`](inspect::StoredCheckpoint) (listed) → `RestoredShard` (read, not yet claimed at
//! the fence) → `OpenedPartition` (claimed, ready to read).
//!
//! Owns: names and formats of all objects (`object_names`, `manifest`, `state_object`), epochs (`epoch`), opening a
//! partition (`find_checkpoint`, `restore_shard`, `claim_partition`), writing in the background (`checkpoint_thread`),
//! deleting unneeded objects (`retention`), savepoints (`savepoint_request`, `take_savepoint`).
//! Does not own: the encoding of a shard's state (core's snapshots), the storage of objects ([`CheckpointStore`]), the
//! time of a checkpoint (the worker).
//!
//! Invariants:
//! 1. A manifest is created only after all objects that it names exist, and after the row store acknowledged all rows
//!    before the manifest's offset.
//! 2. A checkpoint is complete only when its manifest exists and no larger epoch exists. A former owner may create a
//!    manifest late. That manifest is correct too, because the shard is deterministic, but it is not the newest.
//! 3. Objects that the newest manifests name are never deleted, nor is the newest epoch.
//! 4. An unreadable checkpoint is logged, and the checkpoint before it is used. If no checkpoint can be read, the job
//!    halts. Only a partition without any checkpoint begins with empty state.
//! 5. Every format carries its version inside its checksum. Old versions stay readable (`tests/fixtures`).
//!
//! After a crash, objects without a manifest remain. The next complete checkpoint of that partition deletes them.

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
pub use config::{CheckpointConfig, RestoreSource, StateIdentity, TopicIdentityCheck};
pub use format::{FormatFault, ObjectDamage, UnusableObject};
pub use manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
pub(crate) use messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, OpenOutcome, SnapshotCompletion, SnapshotOutcome,
    SnapshotPurpose,
};
pub use object_names::{default_savepoint_folder, escape_name_segment, partition_folder};
pub(crate) use opened_partition::OpenedPartition;
pub(crate) use row_beginning::compute_beginning_after_gap;
pub use savepoint_content::SavepointContent;
pub use savepoint_request::{CurrentSavepointRequest, SavepointRequest};
pub use store::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use take_savepoint::{SavepointParameters, SavepointProgress, take_savepoint};

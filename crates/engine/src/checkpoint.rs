//! Checkpoints store a partition's shard at an offset. The partition's next owner continues from there.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* that the manifest names. State objects form
//! *layers*: first a *base*, which holds all state, then *deltas*, which hold the changes since the layer before. The
//! manifest also holds the offset, the watermark and the row numbers, so these values always fit the state. *Epochs*
//! decide which worker owns a partition: the owner is the worker that claimed the largest epoch.
//!
//! From request to completed checkpoint:
//!
//! | step | type | where |
//! |---|---|---|
//! | request: a checkpoint is due, or a savepoint was requested | `SnapshotPurpose`, [`SavepointRequest`] | worker, `savepoint_request` |
//! | snapshot: the worker saves the shard's state at one offset (the *cut*), piece by piece | `ActiveSnapshot`, one `CheckpointCommand::WriteStatePart` per piece | worker |
//! | draft: the checkpoint thread writes the pieces as state objects | `CheckpointDraft` of [`StatePart`]s | `partition_checkpoints` |
//! | completion: all pieces are sent, and the row store has acknowledged all rows before the cut | `SnapshotToComplete` | worker |
//! | manifest: a text that names the state objects | [`CheckpointManifest`] of [`CheckpointLayer`]s | `manifest` |
//! | completed checkpoint: the manifest is created, and no larger epoch exists | `SnapshotOutcome::Complete` with its [`CheckpointId`] | `checkpoint_thread` |
//!
//! From checkpoint to running partition: a `RestoredShard` has its state. A `RestoredPartition` adds the epoch that was
//! claimed in the checkpoint store. An `OpenedPartition` is also claimed at the fence, so its records may be read.
//!
//! Owns: names and formats of all objects (`object_names`, `manifest`, `state_object`), claims of epochs
//! (`epoch_claim`), opening a partition (`find_checkpoint`, `restore_shard`, `claim_partition`), writing in the
//! background (`checkpoint_thread`), deleting unneeded objects (`retention`), savepoints (`savepoint_request`,
//! `take_savepoint`).
//! Does not own: the encoding of a shard's state (the core's snapshots), the storage of objects ([`CheckpointStore`]),
//! the choice when a checkpoint begins (the worker).
//!
//! Invariants:
//! 1. A manifest is created only after all objects that it names exist, and after the row store acknowledged all rows
//!    before the manifest's offset.
//! 2. A checkpoint is complete only when its manifest exists and no larger epoch exists. A former owner may create a
//!    manifest late. That manifest is correct, because the shard is deterministic. Checkpoints of the new owner count
//!    as newer, because their epoch is larger.
//! 3. Neither the objects that a kept manifest names nor the largest epoch are ever deleted.
//! 4. An unreadable checkpoint is logged, and the checkpoint before it is used. If no checkpoint can be read, the job
//!    halts. Only a partition without any checkpoint begins with empty state.
//! 5. The checksum of every object covers the object's format version. Old versions stay readable (`tests/fixtures`).
//!
//! A crash leaves objects without a manifest. The next complete checkpoint of that partition deletes them.

mod checkpoint_thread;
mod checkpoint_thread_handle;
mod checksummed_text;
mod claim_partition;
pub(crate) mod config;
mod create_object;
mod epoch_claim;
mod find_checkpoint;
pub mod inspect;
pub(crate) mod manifest;
pub(crate) mod object_faults;
mod object_names;
mod opened_partition;
mod partition_checkpoints;
mod restore_shard;
mod retention;
mod row_numbering;
mod savepoint_content;
mod savepoint_request;
mod state_object;
pub(crate) mod store;
mod store_retry;
mod take_savepoint;
mod thread_messages;

pub(crate) use checkpoint_thread_handle::CheckpointThreadHandle;
pub use config::{CheckpointConfig, RestoreSource, StateIdentity, TopicIdentityCheck};
pub use manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
pub use object_faults::{ObjectDamage, ObjectFault, UnusableObject};
pub use object_names::{default_savepoint_folder, escape_name_segment, partition_folder};
pub(crate) use opened_partition::OpenedPartition;
pub(crate) use row_numbering::compute_fingerprint_after_disruption;
pub use savepoint_content::SavepointContent;
pub use savepoint_request::{CurrentSavepointRequest, SavepointRequest};
pub use store::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use take_savepoint::{SavepointParameters, SavepointProgress, take_savepoint};
pub(crate) use thread_messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, PartitionOpenOutcome, SnapshotOutcome, SnapshotPurpose,
    SnapshotToComplete,
};

//! A checkpoint stores the shard of one partition at one offset. The next owner of the partition continues from this
//! offset.
//!
//! A checkpoint of a partition is a *manifest* and the *state objects* that the manifest names. The state objects form
//! *layers*. The first layer is a *base*, which holds all state. Each later layer is a *delta*, which holds the changes
//! since the layer before it. The manifest also holds the shard's offset, watermark and row numbers. So a restored
//! shard always gets the values that belong to its state. The owner of a partition is the worker that claimed the
//! partition's largest *epoch*.
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
//! From checkpoint to running partition, a type stands for each step. A `RestoredShard` holds the state of the
//! checkpoint. A `RestoredPartition` adds the epoch under which the worker claimed the partition in the checkpoint
//! store. An `OpenedPartition` exists after the worker has also claimed the partition at the fence. Only then may the
//! worker read the partition's records.
//!
//! Owns: the names and formats of all objects (`object_names`, `manifest`, `state_object`), claims of epochs
//! (`epoch_claim`), opening partitions (`partition_opener`, `opening_thread`). Also owns: writing in the background
//! (`checkpoint_thread`), deleting unneeded objects (`retention`), savepoints (`savepoint_request`, `take_savepoint`).
//! Does not own: the encoding of a shard's state (snapshots in `windrow-core`), the storage of objects
//! ([`CheckpointStore`]), the decision when a checkpoint begins (the worker).
//!
//! Invariants:
//! 1. Two conditions hold before a manifest is created: all objects that the manifest names exist, and Redis has
//!    acknowledged all rows before the manifest's offset.
//! 2. A checkpoint is complete only if its manifest exists and no larger epoch exists. A former owner may still create
//!    a manifest after a new owner has claimed the partition. Such a manifest holds correct state, because the shard is
//!    deterministic. Checkpoints of the new owner count as newer, because their epoch is larger.
//! 3. The objects that a kept manifest names are never deleted. The object that claims the largest epoch of a partition
//!    is never deleted. The store may execute a deletion late. So a new manifest never names an object that an earlier
//!    deletion may contain.
//! 4. An unreadable checkpoint is logged, and the next older checkpoint is used. If all checkpoints of a partition are
//!    unreadable, the job halts. Only a partition without any checkpoint begins with empty state.
//! 5. Windrow still reads the objects that older versions wrote (`tests/fixtures`). The checksum of an object covers
//!    the format version, so a damaged version number is never mistaken for another version.
//!
//! A crash can leave state objects that no manifest names. The next complete checkpoint of the same partition deletes
//! these objects. The manifest of a failed checkpoint may appear after this deletion. An owner that restores the
//! partition then does not count it among the kept checkpoints, and the next complete checkpoint deletes it.

mod checkpoint_limits;
mod checkpoint_thread;
mod checkpoint_thread_handle;
mod checksummed_text;
mod claim_partition;
pub(crate) mod config;
mod copy_state_objects;
mod create_object;
mod epoch_claim;
mod find_checkpoint;
pub mod inspect;
pub(crate) mod manifest;
mod missing_rows;
pub(crate) mod object_errors;
mod object_names;
mod opened_partition;
mod opening_messages;
mod opening_store;
mod opening_thread;
mod overtaken_checkpoints;
mod partition_checkpoints;
mod partition_opener;
mod restore_behind_truncation;
mod restore_shard;
mod retention;
mod row_numbering_fingerprint;
mod savepoint_request;
mod savepoint_summary;
mod snapshot_failure;
mod snapshot_limits;
mod state_completeness;
pub mod state_migration;
mod state_object;
pub(crate) mod store;
mod store_fault_extent;
mod store_findings;
mod store_probe;
mod store_retry;
mod take_savepoint;
mod thread_messages;

pub(crate) use checkpoint_thread_handle::CheckpointThreadHandle;
pub use config::{CheckpointConfig, PartitionFaultPolicy, RestoreSource, StateIdentity, TopicIdentityCheck};
pub use manifest::{
    CheckpointId, CheckpointLayer, CheckpointManifest, EarlierCut, FormerNumbering, StatePart, StoredFeature,
    StoredView,
};
pub use missing_rows::MissingRows;
pub use object_errors::{ObjectDamage, ObjectFault, UnusableObject};
pub use object_names::{default_savepoint_folder, escape_name_segment, partition_folder};
pub(crate) use opened_partition::OpenedPartition;
pub(crate) use opening_messages::{OpeningAnswer, OpeningCommand};
pub(crate) use partition_opener::{PartitionOpener, PartitionOpening};
pub(crate) use row_numbering_fingerprint::derive_fingerprint_after_restart;
pub use savepoint_request::{CurrentSavepointRequest, SavepointRequest};
pub use savepoint_summary::SavepointSummary;
pub use snapshot_limits::SnapshotLimits;
pub use state_completeness::IncompleteFeature;
pub(crate) use state_completeness::StateCompleteness;
pub use store::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use store_findings::StoreFindings;
pub(crate) use store_findings::{StoreFaultExtent, WorkerStoreFindings};
pub(crate) use store_probe::StoreProbe;
pub use take_savepoint::{SavepointParameters, SavepointProgress, take_savepoint};
pub(crate) use thread_messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, SnapshotOutcome, SnapshotPurpose, SnapshotToComplete,
};

//! Snapshots: the state of a shard as bytes, written while the shard keeps processing events.
//!
//! The types from the state to a layer and back:
//!
//! | step | type |
//! |---|---|
//! | a table of slots; every change of a slot goes through it | [`slots::SlotTable`] |
//! | the running snapshot of one table: slots still to be saved, bytes saved so far | [`snapshot_writer::SnapshotWriter`] |
//! | the scope, and the state outside the slots | [`format_version::SnapshotScope`], [`format_version::ShardMetadata`] |
//! | a layer: the bytes of one snapshot, kept by a checkpoint | (the engine) |
//! | a shard rebuilt from layers | [`set_time::ShardRestore`] |
//!
//! [`crate::Shard::begin_snapshot`] starts a snapshot at almost no cost, even for a large state. From then on, the
//! worker saves a few slots between two polls. A slot that is about to change is saved first, so the bytes hold the
//! state at the beginning of the snapshot. A snapshot of changes holds only the slots that events have changed since
//! the previous snapshot.
//!
//! Owns: the bytes of saved slots, the set of slots still to be saved, rebuilding a shard. Does not own: files,
//! checksums, offsets (the engine's checkpoints).
//!
//! Invariants: (1) a layer holds the whole state of every slot that changed since the layer before; of two records for
//! one slot, the later record counts; (2) a removal by a firing window is not recorded, because a restore drops all
//! state that the watermark has passed; (3) a restored shard emits the same rows in the same order, with the same
//! numbers, as the saved shard. Therefore slots keep their numbers, and the lowest free slot is assigned first.
//! After a crash: a running snapshot is lost, and the last kept snapshot is not affected.
//! Why this way: copying the state of a million users stops the worker for a second. Saving single panes reduces the
//! bytes of a changed user by less than half, and needs one bit per pane.
//!
//! A snapshot is a sequence of blocks. A block consists of the number of its table, its length, and its records. Table
//! 0 holds the entity keys, table `n + 1` the state of view `n`. Numbers are LEB128. A record begins with the distance
//! of its slot from the slot of the previous record in the block (zigzag). In the table of keys, the key's length and
//! bytes follow. In a view's table, the number of rows follows, and then the span, words and variable accumulators of
//! each row.

pub(crate) mod encoding;
pub(crate) mod format;
pub(crate) mod restore;
pub(crate) mod slots;
pub(crate) mod writer;

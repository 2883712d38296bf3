//! Snapshots: the state of a shard as bytes, written while the shard keeps processing events.
//!
//! The types, from the state of a shard to a stored layer and back:
//!
//! | what | type |
//! |---|---|
//! | a table of slots; every change of a slot goes through it | [`slots::SlotTable`] |
//! | the running snapshot of one table | [`writer::SnapshotWriter`] |
//! | base or delta; the state outside the slots | [`format::BaseOrDelta`], [`format::ShardMetadata`] |
//! | a layer: the bytes of one snapshot, stored in a checkpoint | (the engine) |
//! | a shard that is rebuilt from layers | [`restore::ShardRestore`] |
//!
//! [`crate::Shard::begin_snapshot`] starts a snapshot at almost no cost, even for a large state. From then on, the
//! worker saves a few slots between two polls. A slot that is about to change is saved first, so the bytes hold the
//! state at the beginning of the snapshot. A base is a snapshot of all slots. A delta holds only the slots that events
//! have changed since the previous snapshot.
//!
//! Owns: the bytes of saved slots, the set of slots not saved yet, rebuilding a shard. Does not own: files, checksums,
//! offsets (the engine's checkpoints).
//!
//! Invariants: (1) a layer holds the whole state of every slot that events have changed since the previous layer. If
//! two layers hold the same slot, the later layer counts. (2) When a firing window removes state, no layer records the
//! removal: a restore drops all state that the watermark has passed. (3) A restored shard emits the same rows in the
//! same order, with the same numbers, as the saved shard. Therefore slots keep their indexes, and the lowest free slot
//! is assigned first.
//! After a crash: a running snapshot is lost. Layers that are already stored are not affected.
//! Why this way: copying the state of a million users at once stops the worker for a second. Saving single panes instead
//! of whole slots reduces the bytes of a changed user by less than half, and needs one bit per pane.
//!
//! A snapshot is a sequence of blocks. A block consists of the number of its table, its length in bytes, and saved
//! slots. Table 0 holds the entity keys, table `n + 1` the state of view `n`. Numbers are encoded as
//! [`encoding`] describes. A saved slot begins with the distance from the index of the previous slot in the block
//! (signed). In table 0, the length and the bytes of the entity key follow. In the table of a view, the number of rows
//! follows, and then the span, the words and the variable accumulators of each row.

pub(crate) mod encoding;
pub(crate) mod format;
pub(crate) mod restore;
pub(crate) mod slots;
pub(crate) mod writer;

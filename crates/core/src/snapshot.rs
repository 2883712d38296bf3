//! Snapshots: the state of a shard as bytes, saved while the shard keeps processing events.
//!
//! The types, in the order of a snapshot and its restore:
//!
//! | what | type |
//! |---|---|
//! | a table of slots; every change of a slot goes through it | [`slots::SlotTable`] |
//! | the running snapshot of one table | [`table_progress::TableSnapshotProgress`] |
//! | the blocks of a layer, read from its parts | [`layer_blocks::LayerBlockReader`] |
//! | base or delta; the state outside the slots | [`format::BaseOrDelta`], [`format::ShardMetadata`] |
//! | a layer: the bytes of one snapshot, stored in a checkpoint | (the engine) |
//! | a shard that is rebuilt from layers | [`restore::ShardRestore`] |
//! | state of a view whose definition has changed since | [`entry_migration::ViewMigration`] |
//!
//! A table of a shard has one slot for each entity. [`crate::Shard::begin_snapshot`] starts a snapshot at almost no
//! cost, even for a large state. From then on, the worker saves a few slots between two polls of Kafka. Before a change
//! to a slot that is not saved yet, the table saves the slot. A window that fires removes entries from many slots at
//! once. The table keeps the removed entries until their slot is saved. So the bytes hold the state of the moment at
//! which the snapshot began, and a firing adds none at once. A base is a snapshot of all slots. A delta holds only the slots that events have changed since the
//! previous snapshot.
//!
//! Owns: the encoding of slots, the set of slots that are not saved yet, the restore of a shard. Does not own: files,
//! checksums, offsets (the engine's checkpoints).
//!
//! Invariants: (1) A delta holds the whole state of every slot that events have changed since the previous snapshot. If
//! two layers hold the same slot, a restore uses the slot of the newer layer. (2) When a window fires, the shard
//! removes state, but no layer records the removal. Instead, a restore drops all state whose last window had fired when
//! the newest loaded snapshot began. (3) A restored shard emits the same rows in the same order with the same numbers
//! as the saved shard. Therefore slots keep their indexes, and the lowest free slot is assigned first.
//! After a crash: a running snapshot is lost. Layers that are already stored remain usable.
//! Why slot by slot: copying the state of a million users at once would stop the worker for a second. Why whole slots:
//! a snapshot of single panes would need one bit per pane, which marks the pane as changed. It would make the bytes of
//! a changed user smaller by less than half.
//!
//! A snapshot is a sequence of blocks. The caller may cut it into parts at any byte: a block, and so a slot, may span
//! parts. A block consists of the number of its table, the length of its saved slots in
//! bytes, and the saved slots. Table 0 holds the entity keys, table `n + 1` the state of view `n`. Module [`encoding`]
//! defines the encoding of numbers. A saved slot begins with the signed distance from the index of the previous slot in
//! the block. In table 0, the length and the bytes of the entity key follow. In the table of a view, the number of
//! entries follows (one per pane or session). Each entry consists of its span, its words and its variable accumulators.

pub(crate) mod encoding;
pub(crate) mod entry_migration;
pub(crate) mod format;
pub(crate) mod layer_blocks;
pub(crate) mod restore;
pub(crate) mod slots;
pub(crate) mod table_progress;

//! Snapshots: a shard's state as bytes, written while the shard keeps processing events.
//!
//! From state to layer and back:
//!
//! | step | type |
//! |---|---|
//! | a table of slots; every change of a slot goes through it | [`slots::SnapshotSlots`] |
//! | the running snapshot of one table: slots still to be saved, bytes saved so far | [`writer::SnapshotWriter`] |
//! | what the snapshot covers, and the state outside the slots | [`format::SnapshotScope`], [`format::ShardMetadata`] |
//! | a layer: the bytes of one snapshot, kept by a checkpoint | (the engine) |
//! | a shard rebuilt from layers | [`restore::ShardRestore`] |
//!
//! [`crate::Shard::begin_snapshot`] starts a snapshot at almost no cost, whatever the size of the state. From then on the
//! worker saves a few slots between two polls. A slot that is about to change is saved first, so the bytes hold the state
//! at the beginning. A snapshot of changes holds the slots that events have changed since the snapshot before.
//!
//! Owns: the bytes of saved slots, which slots are still to be saved, rebuilding a shard. Does not own: files, checksums,
//! offsets (the engine's checkpoints).
//!
//! Invariants: (1) a layer holds every slot that changed since the layer before it, whole; of two records for one slot the
//! later one counts; (2) what a firing window removes is not recorded: it follows from the watermark, and a restore drops
//! whatever the watermark has passed; (3) a restored shard emits the same rows in the same order, with the same numbers, as
//! the shard that was saved. Therefore slots keep their numbers, and the lowest free slot is assigned first.
//! After a crash: a running snapshot is lost; the last one that was kept is complete by itself.
//! Why this way: copying the state of a million users stops the worker for a second. A snapshot per pane would save less
//! than half of a changed user, and cost a bit per pane.
//!
//! A snapshot is a sequence of blocks: table (0 for entity keys, `n + 1` for view `n`), length, records; numbers are
//! LEB128. A record begins with the distance of its slot from that of the record before in its block (zigzag). In the
//! table of keys, the key's length and bytes follow. In a view's table, the slot's rows follow: their number, and for each
//! its span, words and variable accumulators.

pub(crate) mod encoding;
pub(crate) mod format;
pub(crate) mod restore;
pub(crate) mod slots;
pub(crate) mod writer;

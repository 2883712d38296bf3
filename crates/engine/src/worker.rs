//! A worker is one thread that owns partitions and drives their shards from a source to a sink.
//!
//! A record passes through `run_loop` (poll, decode), the shard of its partition and `row_emitter` to the sink.
//! `partition_changes` and `fencing` handle assigned and lost partitions, and `snapshots` saves their state.
//! `partition_phase` and `owned_partition` hold the data of each phase of a partition.
//!
//! Does not own: threads (the binary starts one per worker), Kafka, Redis, the checkpoint store (the checkpoint
//! thread).
//! Invariants: (1) Each time a partition is opened, its shard processes each record once and in order. (2) A checkpoint
//! is complete only when every row and dead letter before it is stored. (3) Offsets are committed only after a complete
//! checkpoint. (4) A record that is not an event never stops the worker. (5) A record that causes a [`crate::Halt`] is
//! not skipped: the next start reads the record again. (6) The loop never waits for the checkpoint store while records
//! arrive.
//! After a crash, each partition resumes from its last complete checkpoint, in this process or in another one. Rows
//! that the row store already has are not written again.

mod active_snapshot;
mod event_recorder;
mod fencing;
mod owned_partition;
mod partition_change_queue;
mod partition_changes;
mod partition_phase;
mod row_emitter;
mod run_loop;
mod snapshots;
mod state;

pub use state::{Worker, WorkerOutcome, WorkerParts};

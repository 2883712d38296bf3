//! The worker: one thread that owns partitions and drives their shards from a source to a sink.
//!
//! A record goes through `run_loop` (poll, decode), its partition's shard and `row_emitter` to the sink. Beside that,
//! partitions come and go (`partition_changes`, `fencing`), and their state is saved (`snapshots`); what is known of a
//! partition in each phase of its life is in `partition_phase` and `owned_partition`.
//!
//! Does not own: threads (the binary starts one per worker), Kafka, Redis, the checkpoint store (the checkpoint thread).
//! Invariants: (1) a record is processed once per opening of its partition, in the order of the partition, by the
//! partition's shard; (2) a checkpoint counts only when every row and every dead letter produced before it is safe, and
//! offsets are committed only behind one; (3) a record that is not an event never stops the worker, and one that must stop
//! it ([`crate::Halt`]) is not skipped; (4) nothing here waits for the checkpoint store while there are records to process.
//! After a crash: each partition resumes from its last complete checkpoint, here or elsewhere. Rows that the store has
//! already are not written again.

mod active_snapshot;
mod change_queue;
mod fencing;
mod owned_partition;
mod partition_changes;
mod partition_phase;
mod row_emitter;
mod run_loop;
mod snapshots;
mod state;
mod worker_events;

pub use state::{Worker, WorkerOutcome, WorkerParts};

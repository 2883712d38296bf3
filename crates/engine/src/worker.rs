//! A worker owns partitions, processes their records and writes the resulting rows. Each worker runs in a thread of its
//! own.
//!
//! Module `run_loop` polls a record and decodes it into an event. The shard of the record's partition processes the
//! event, and `row_emitter` passes the rows to the sink. `partition_changes` answers the consumer group,
//! `partition_openings` opens partitions, `group_presence` leaves the group while no partition can be opened. `fencing`
//! handles partitions that another worker has claimed, `parking` those with a fault of their own, and `snapshots` saves
//! the state of partitions. `idle_partitions` closes
//! the windows of partitions without new records, and `partition_clock` repeats this after a restart. `partition_phase`
//! and `owned_partition` hold the data of each phase of a partition.
//!
//! Does not own: threads (the binary starts one per worker), Kafka, Redis, the checkpoint store (only the checkpoint
//! thread and the opening threads access it).
//! Invariants: (1) After a worker has opened a partition, the shard processes each record from the start offset on once
//! and in order. (2) A checkpoint completes only after all rows and dead letters of the records before its offset are
//! stored. (3) An offset is committed only after the checkpoint at this offset is complete. (4) A record that is not an
//! event never stops the worker. (5) A worker does not skip a record that causes a [`crate::Halt`]. When the job starts
//! again, it reads the record again. (6) The worker's loop never waits for the checkpoint store while records arrive.
//! After a crash, the next owner of a partition resumes from the partition's last complete checkpoint. The next owner
//! computes some rows again, but does not write those that the row store already has.

mod active_snapshot;
mod clock_reading;
mod end_check_state;
mod event_recorder;
mod fencing;
mod group_presence;
mod idle_partitions;
mod key_text;
mod membership_state;
mod owned_partition;
mod parking;
mod partition_change_queue;
mod partition_changes;
mod partition_clock;
mod partition_openings;
mod partition_phase;
mod record_key_check;
mod row_emitter;
mod run_loop;
mod snapshots;
mod state;

pub use state::{Worker, WorkerOutcome, WorkerParts};

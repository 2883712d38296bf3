//! The source is the interface through which a worker reads records.
//!
//! Owns: the contract between a worker and its input. Does not own: the implementations of the source, which are in
//! `windrow-connectors`, and decoding.

use std::time::Duration;

use crate::Halt;
use crate::identifiers::{Offset, Partition, PartitionOffsets};

/// A record that the worker borrows from the source while it processes the record.
#[derive(Clone, Copy, Debug)]
pub struct SourceRecord<'a> {
    /// The partition that the record was read from.
    pub partition: Partition,
    /// The offset of the record. In a file, the offset is the line number, counted from 0.
    pub offset: Offset,
    /// The key of the record, if any.
    pub key: Option<&'a [u8]>,
    /// The payload of the record; `None` is Kafka's null value.
    pub payload: Option<&'a [u8]>,
    /// The Kafka timestamp of the record (`CreateTime` or `LogAppendTime`), in epoch milliseconds. `None` if the source
    /// has no timestamps.
    pub timestamp_ms: Option<i64>,
    /// The reason why the source could not read this record; `None` for a readable record. One unreadable record can
    /// stand for several consecutive records. It then has the offset of the last of them.
    pub unreadable_reason: Option<&'a str>,
}

/// The reason why a call of [`Source::poll`] returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PollOutcome {
    /// The source delivered records, and may already have more.
    Records,
    /// No record arrived before the timeout.
    Idle,
    /// The consumer group assigned these partitions to this worker. The worker responds with
    /// [`Source::start_partitions`].
    Assigned(Vec<Partition>),
    /// The consumer group revokes these partitions. The worker responds with [`Source::release_partitions`].
    Revoked(Vec<Partition>),
    /// The consumer group has taken these partitions away without waiting for this worker. Another worker may already
    /// own them, so this worker must not commit their offsets. This worker responds with
    /// [`Source::release_partitions`].
    Lost(Vec<Partition>),
    /// The source skipped offsets of these partitions, because the records no longer exist in Kafka. The pipeline
    /// allows such gaps.
    OffsetsSkipped(Vec<Partition>),
    /// The partition was read up to the end offset that the partition had when the job started. Occurs only for bounded
    /// input.
    PartitionFinished(Partition),
    /// All partitions of this worker were read to their ends. Occurs only for bounded input.
    InputExhausted,
}

/// Whether a commit of offsets waits until the broker answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitWait {
    /// The commit returns without waiting for the broker's answer.
    Background,
    /// The commit waits for the broker's answer, but only for a limited time.
    AwaitAnswer,
}

/// A stream of records from the partitions that belong to one worker.
pub trait Source {
    /// Passes records to `on_record` as they arrive. Waits at most `timeout` for the first record. Between two calls,
    /// the source may read further records into a bounded buffer, and it loses none of them.
    ///
    /// # Errors
    /// Fails if `on_record` returns an error, or if the input has a fault that no retry resolves.
    fn poll(
        &mut self,
        timeout: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt>;

    /// Returns the offsets at which reading of `partitions` would start. A partition starts at its entry in `offsets`.
    /// A partition without an entry starts at the start position that the pipeline sets. If the offset no longer exists
    /// and the pipeline allows gaps, the partition starts at another offset. The result has no entry for a partition
    /// whose start offset is unknown.
    ///
    /// # Errors
    /// Fails if a start offset no longer exists and the pipeline allows no gaps, or if the input rejects the request
    /// for offsets.
    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt>;

    /// Starts reading newly assigned `partitions` at `start_offsets`. A partition without an entry in `start_offsets`
    /// starts at the start position that the pipeline sets.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn start_partitions(&mut self, partitions: &[Partition], start_offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Continues reading each partition in `offsets` at the offset that `offsets` holds for it.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn seek_partitions(&mut self, offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Commits `offsets` and waits for the broker's answer. Returns whether the broker has confirmed the commit. A
    /// confirmed commit shows that the consumer group still treats this worker as the owner of the partitions in
    /// `offsets`.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn confirm_ownership_by_commit(&mut self, offsets: &PartitionOffsets) -> Result<bool, Halt>;

    /// Stops delivering records of `partitions`, but keeps the reading positions. The pause of a partition ends when
    /// the worker resumes, starts, seeks or releases the partition with another function of this trait. If the source
    /// cannot pause a partition, the source logs a warning and continues to deliver the partition's records.
    fn pause_partitions(&mut self, partitions: &[Partition]);

    /// Resumes paused `partitions` at the positions where they were paused.
    fn resume_partitions(&mut self, partitions: &[Partition]);

    /// Stops reading `partitions`.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Commits `offsets` to the consumer group. Each offset is the offset of a complete checkpoint, which includes all
    /// earlier records of its partition.
    ///
    /// # Errors
    /// Fails if the input rejects the commit for a reason that no retry resolves. The source only logs any other
    /// failure, because the worker commits the offsets again later.
    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt>;
}

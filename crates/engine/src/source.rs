//! The source is the interface through which a worker reads records.
//!
//! Owns: the contract between a worker and its input. Does not own: the implementations (the connectors), or decoding.

use std::time::Duration;

use crate::Halt;
use crate::identifiers::{Offset, Partition, PartitionOffsets};

/// A record that the source lends to the worker for one call.
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
    /// The Kafka timestamp of the record (produced or appended), in epoch milliseconds. `None` if the source has no
    /// timestamps.
    pub timestamp_ms: Option<i64>,
    /// The reason why the source could not read this record; `None` for a readable record. The reason also applies to
    /// the following records, up to the next delivered record.
    pub unreadable_reason: Option<&'a str>,
}

/// The reason why a call of [`Source::poll`] returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PollOutcome {
    /// The source delivered records, and may already have more.
    Records,
    /// No record arrived before the timeout.
    Idle,
    /// The group assigned these partitions to this worker. The worker responds with [`Source::start_partitions`].
    Assigned(Vec<Partition>),
    /// The group revokes these partitions. The worker responds with [`Source::release_partitions`].
    Revoked(Vec<Partition>),
    /// Another worker already owns these partitions, so no offsets may be committed for them. The worker responds with
    /// [`Source::release_partitions`].
    Lost(Vec<Partition>),
    /// The source skipped offsets of these partitions, because the records no longer exist in Kafka. The pipeline
    /// allows such gaps.
    OffsetsSkipped(Vec<Partition>),
    /// Bounded input: the partition was read to the end offset that it had when the job started.
    PartitionFinished(Partition),
    /// Bounded input: all partitions of this worker were read to their ends.
    InputExhausted,
}

/// Whether a commit of offsets waits until the broker answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitWait {
    /// The call returns without waiting.
    Background,
    /// The call waits for the broker's answer, for a limited time.
    AwaitAnswer,
}

/// A stream of records from the partitions that belong to one worker.
pub trait Source {
    /// Passes records to `on_record` as they arrive. Waits at most `timeout` for the first record. The source reads
    /// ahead only into a bounded buffer, and loses no record between two calls.
    ///
    /// # Errors
    /// The error of `on_record`, or a fault of the input that no retry resolves.
    fn poll(
        &mut self,
        timeout: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt>;

    /// Returns the known offsets at which reading of `partitions` would start. A partition without an entry in
    /// `offsets` starts at the pipeline's default. An offset that no longer exists is skipped only if the pipeline
    /// allows gaps.
    ///
    /// # Errors
    /// When an offset no longer exists, or the input rejects the request.
    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt>;

    /// Starts reading newly assigned `partitions` at `start_offsets`. A partition without an entry starts at the
    /// pipeline's default.
    ///
    /// # Errors
    /// When the input rejects the request.
    fn start_partitions(&mut self, partitions: &[Partition], start_offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Moves the reading positions of partitions to `offsets`.
    ///
    /// # Errors
    /// When the input rejects the request.
    fn seek_partitions(&mut self, offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Commits `offsets` and waits for the answer. Returns whether the group still treats this worker as the owner of
    /// these partitions.
    ///
    /// # Errors
    /// When the input rejects the request.
    fn confirm_ownership_by_commit(&mut self, offsets: &PartitionOffsets) -> Result<bool, Halt>;

    /// Pauses `partitions` that are being read, and keeps their positions. The pause ends with
    /// [`Self::resume_partitions`], or when a partition is started, moved or released. A source that cannot pause a
    /// partition logs a warning and continues to deliver its records.
    fn pause_partitions(&mut self, partitions: &[Partition]);

    /// Resumes paused `partitions` at the positions where they were paused.
    fn resume_partitions(&mut self, partitions: &[Partition]);

    /// Stops reading `partitions`.
    ///
    /// # Errors
    /// When the input rejects the request.
    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Commits `offsets`. All records before each offset are processed.
    ///
    /// # Errors
    /// When the input rejects the commit for a reason that no retry resolves. After any other failure, the source logs
    /// the failed commit, and the next commit repeats it.
    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt>;
}

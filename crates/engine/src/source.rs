//! The source is the interface through which a worker reads records.
//!
//! Owns: the contract between a worker and its input. Does not own: the implementations of the source, which are in
//! `windrow-connectors`, and decoding.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::halt::LostOffset;
use crate::identifiers::{LeaderEpoch, Offset, Partition, PartitionOffsets};
use crate::{Halt, HeldOffsets, LogPosition};

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
    /// The leader epoch of the record; `None` if the source has none.
    pub leader_epoch: Option<LeaderEpoch>,
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
    /// [`Source::accept_assignment`], and later starts to read each partition with [`Source::start_partitions`].
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
    /// These partitions now end before the offset at which reading would continue, because the source has lost records.
    /// The value is the offsets that they hold. The pipeline allows it. The source delivers no more records of these
    /// partitions until [`Source::start_partitions`].
    LogTruncated(BTreeMap<Partition, HeldOffsets>),
    /// The source no longer holds the offsets at which reading of these partitions would continue, and the pipeline does
    /// not allow it. The source delivers no more records of these partitions until [`Source::start_partitions`].
    OffsetsLost(Vec<LostOffset>),
    /// Partitions were added to the topic, and the pipeline allows it. The topic has this many partitions now. The source
    /// returns this outcome before it delivers records of the new partitions.
    PartitionsAdded {
        /// The number of partitions of the topic.
        partition_count: Partition,
    },
    /// The partition was read up to the end offset that the partition had when the job started. Occurs only for bounded
    /// input.
    PartitionFinished(Partition),
    /// All partitions of this worker were read to their ends. Occurs only for bounded input.
    InputExhausted,
}

/// Where reading of a partition would start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StartOffset {
    /// The offset of the first record to read.
    pub offset: Offset,
    /// The offsets that the source holds; `None` if it did not find out.
    pub held_offsets: Option<HeldOffsets>,
}

impl StartOffset {
    /// Creates a start offset of a source that does not know which offsets it holds.
    #[must_use]
    pub const fn with_unknown_bounds(offset: Offset) -> Self {
        Self { offset, held_offsets: None }
    }
}

/// The answer to [`Source::resolve_start_offsets`]. A partition whose start offset is unknown is in no map.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StartOffsets {
    /// The partitions whose start offset is known.
    pub start_by_partition: BTreeMap<Partition, StartOffset>,
    /// The partitions that end before the requested offset, with the offsets that they hold. The source has lost records
    /// that were already read. The pipeline allows it, but reading cannot continue with the state at that offset: the
    /// records after the end will be others.
    pub truncated_partitions: BTreeMap<Partition, HeldOffsets>,
    /// The partitions that no longer hold the requested offset, although the pipeline does not allow it.
    pub lost_offsets: BTreeMap<Partition, LostOffset>,
}

impl StartOffsets {
    /// Returns the offsets of the partitions whose start offset is known.
    #[must_use]
    pub fn known_offsets(&self) -> PartitionOffsets {
        self.start_by_partition.iter().map(|(&partition, start)| (partition, start.offset)).collect()
    }
}

impl FromIterator<(Partition, StartOffset)> for StartOffsets {
    fn from_iter<I: IntoIterator<Item = (Partition, StartOffset)>>(starts: I) -> Self {
        Self { start_by_partition: starts.into_iter().collect(), ..Self::default() }
    }
}

/// Whether a commit of offsets waits until the broker answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitWait {
    /// The commit returns without waiting for the broker's answer.
    Background,
    /// The commit waits for the broker's answer, but only for a limited time.
    AwaitAnswer,
    /// Like [`Self::AwaitAnswer`]. While the consumer group rebalances, the broker refuses commits; the source then sends
    /// the commit again, also for a limited time. A stopping worker commits like this, because no later commit follows.
    AwaitRebalance,
}

/// Whether a worker has left its consumer group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupDeparture {
    /// The worker is leaving the group. The source then returns [`PollOutcome::Revoked`] or [`PollOutcome::Lost`] with
    /// all partitions of the worker.
    Left,
    /// The source has no group, or cannot leave it now. Nothing changes.
    Stayed,
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
    /// A partition without an entry starts at the start position that the pipeline sets. If records before the offset
    /// were deleted and the pipeline allows gaps, the partition starts at the first offset that exists. If the partition
    /// ends before the offset, it is one of the [`StartOffsets::truncated_partitions`]. If the pipeline allows no gaps, a
    /// partition without the offset is one of the [`StartOffsets::lost_offsets`].
    ///
    /// # Errors
    /// Fails if the input rejects the request for offsets.
    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt>;

    /// Asks whether all records of `partitions` that exist now have been delivered. Does not wait: the answer is that of
    /// [`Self::take_end_check`]. Sources that cannot tell ignore this.
    fn request_end_check(&mut self, _partitions: &[Partition]) {}

    /// Returns the answer to the last [`Self::request_end_check`], once: the partitions of which [`Self::poll`] has
    /// delivered every record that existed when the question was asked. Returns `None` while there is no answer. A
    /// partition whose broker does not answer is not in the list.
    fn take_end_check(&mut self) -> Option<Vec<Partition>> {
        None
    }

    /// Begins to leave the consumer group, so that other members get the partitions of this worker. The worker stays
    /// outside until [`Self::rejoin_group`].
    fn leave_group(&mut self) -> GroupDeparture {
        GroupDeparture::Stayed
    }

    /// Begins to join the consumer group again, after [`Self::leave_group`].
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn rejoin_group(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    /// Confirms to the consumer group that this worker has got the newly assigned `partitions`. The source delivers no
    /// records of them before [`Self::start_partitions`].
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn accept_assignment(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Tells the source the leader epoch of the record before each start offset. If a partition has lost this record when
    /// the source starts to read there, [`Self::poll`] returns [`PollOutcome::LogTruncated`]. Sources without leader
    /// epochs ignore this.
    fn note_start_positions(&mut self, _positions: &BTreeMap<Partition, LogPosition>) {}

    /// Starts reading the assigned `partitions` at `start_offsets`, also those that are already being read. A partition
    /// without an entry in `start_offsets` starts at the start position that the pipeline sets.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn start_partitions(&mut self, partitions: &[Partition], start_offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Commits `offsets` and waits for the broker's answer. Returns whether the broker has confirmed the commit. A
    /// confirmed commit shows that the consumer group still treats this worker as the owner of the partitions in
    /// `offsets`.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn confirm_ownership_by_commit(&mut self, offsets: &PartitionOffsets) -> Result<bool, Halt>;

    /// Stops delivering records of `partitions`, which the worker keeps, until [`Self::start_partitions`]. Ignores
    /// partitions that are not being read.
    ///
    /// # Errors
    /// Fails if the input rejects the request.
    fn stop_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Stops reading `partitions`, and gives them back to the consumer group.
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

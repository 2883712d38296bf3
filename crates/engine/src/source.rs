//! Where records come from: the interface a worker reads through.
//!
//! Owns: the contract between a worker and its input. Does not own: any particular input (the connectors), or decoding.

use std::time::Duration;

use crate::Halt;
use crate::identifiers::{Offset, Partition, PartitionOffsets};

/// One record, borrowed from the source for the time of the call.
#[derive(Clone, Copy, Debug)]
pub struct SourceRecord<'a> {
    /// The partition it was read from.
    pub partition: Partition,
    /// Its offset there; in a file, the number of its line, counted from 0.
    pub offset: Offset,
    /// Its key, where it has one.
    pub key: Option<&'a [u8]>,
    /// Its bytes; `None` is Kafka's null value.
    pub payload: Option<&'a [u8]>,
    /// When it was produced or appended, in epoch milliseconds, where the input knows.
    pub timestamp_ms: Option<i64>,
    /// Why the input could not give the bytes of this record and those after it up to the next that is handed over.
    pub unreadable_reason: Option<&'a str>,
}

/// What a call of [`Source::poll_source`] came back for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PollOutcome {
    /// Records were handed over, and there may be more at once.
    Records,
    /// Nothing came within the time given.
    Idle,
    /// These partitions are this worker's from now on; it answers with [`Source::start_partitions`].
    Assigned(Vec<Partition>),
    /// These partitions are to be given up; it answers with [`Source::release_partitions`]. Where `lost`, they already belong to
    /// somebody else, and nothing may be committed for them.
    Revoked {
        /// The partitions.
        partitions: Vec<Partition>,
        /// Whether they are gone already.
        lost: bool,
    },
    /// Reading of these partitions goes on at other offsets than the last record said: those between are gone, and the
    /// pipeline says to go on.
    OffsetsSkipped(Vec<Partition>),
    /// Bounded input: this partition has been read to the end it had when the job started.
    PartitionFinished(Partition),
    /// Bounded input: no partition of this worker will bring anything more.
    InputExhausted,
}

/// A stream of records from the partitions that belong to one worker.
pub trait Source {
    /// Hands records to `each` as they come, waiting at most `wait` for the first. Between two calls, or while `each`
    /// runs, nothing is lost and nothing is read on beyond a bounded buffer.
    ///
    /// # Errors
    /// What `each` returned, or a fault of the input that no retry mends.
    fn poll(
        &mut self,
        wait: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt>;

    /// Where reading of `partitions` would begin, as far as that is known: at its offset in `positions`, or where the
    /// pipeline says when it has none there. An offset that is gone is not passed over unless the pipeline says so.
    ///
    /// # Errors
    /// [`Halt::LostOffset`], or when the input refuses.
    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt>;

    /// Starts reading newly assigned `partitions` at `starts`; those that are not in there where the pipeline says.
    ///
    /// # Errors
    /// When the input refuses.
    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt>;

    /// Goes back, or on, to `positions` in partitions that are being read.
    ///
    /// # Errors
    /// When the input refuses.
    fn seek_partitions(&mut self, positions: &PartitionOffsets) -> Result<(), Halt>;

    /// Commits `positions` and waits for the answer: whether whoever assigns partitions still knows this reader as the one
    /// of these.
    ///
    /// # Errors
    /// When the input refuses.
    fn confirm_ownership(&mut self, positions: &PartitionOffsets) -> Result<bool, Halt>;

    /// Stops reading `partitions`.
    ///
    /// # Errors
    /// When the input refuses.
    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Records that everything before `positions` is done with. Where `wait`, waits a moment until that is recorded.
    ///
    /// # Errors
    /// When it was refused for a reason no retry mends; a commit that merely failed is logged and repeated by the next.
    fn commit_offsets(&mut self, positions: &PartitionOffsets, wait: bool) -> Result<(), Halt>;
}

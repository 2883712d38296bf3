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
    /// Why the input could not read this record and those before the next record that it delivers.
    pub unreadable_reason: Option<&'a str>,
}

/// Why a call of [`Source::poll`] returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PollOutcome {
    /// Records were delivered, and there may be more at once.
    Records,
    /// Nothing came in time.
    Idle,
    /// These partitions belong to this worker from now on. It answers with [`Source::start_partitions`].
    Assigned(Vec<Partition>),
    /// These partitions are taken from this worker. It answers with [`Source::release_partitions`].
    Revoked(Vec<Partition>),
    /// These partitions belong to another worker already, and nothing may be committed for them. The answer is
    /// [`Source::release_partitions`].
    Lost(Vec<Partition>),
    /// In these partitions offsets are gone, and reading resumes behind them, as the pipeline says.
    OffsetsSkipped(Vec<Partition>),
    /// Bounded input: this partition was read to the end that it had when the job started.
    PartitionFinished(Partition),
    /// Bounded input: no partition of this worker delivers anything more.
    InputExhausted,
}

/// Whether a commit of offsets waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitWait {
    /// It does not wait.
    Background,
    /// It waits for the answer, in bounded time.
    AwaitAnswer,
}

/// A stream of records from the partitions that belong to one worker.
pub trait Source {
    /// Delivers records to `on_record` as they come, and waits at most `timeout` for the first. Between two calls, and
    /// while `on_record` runs, nothing is lost, and no more than a bounded buffer is read ahead.
    ///
    /// # Errors
    /// What `on_record` returned, or a fault of the input that no retry resolves.
    fn poll(
        &mut self,
        timeout: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt>;

    /// Returns where reading of `partitions` would start, as far as that is known: at the partition's offset in `offsets`,
    /// or where the pipeline says when it has none there. An offset that is gone is skipped only if the pipeline says so.
    ///
    /// # Errors
    /// When an offset is gone, or the input refuses.
    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt>;

    /// Starts reading newly assigned `partitions` at `start_offsets`; those without one start where the pipeline says.
    ///
    /// # Errors
    /// When the input refuses.
    fn start_partitions(&mut self, partitions: &[Partition], start_offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Continues reading at `offsets` in partitions that are being read.
    ///
    /// # Errors
    /// When the input refuses.
    fn seek_partitions(&mut self, offsets: &PartitionOffsets) -> Result<(), Halt>;

    /// Commits `offsets`, waits for the answer, and returns whether the group still knows this reader as the owner of these
    /// partitions.
    ///
    /// # Errors
    /// When the input refuses.
    fn confirm_ownership(&mut self, offsets: &PartitionOffsets) -> Result<bool, Halt>;

    /// Pauses `partitions` that are being read: nothing more is delivered from them, and their place is kept, until
    /// [`Self::resume_partitions`], or until they are started, sought or released. A source that cannot pause one logs that
    /// and goes on delivering.
    fn pause_partitions(&mut self, partitions: &[Partition]);

    /// Delivers the records of paused `partitions` again, from the place where they were paused.
    fn resume_partitions(&mut self, partitions: &[Partition]);

    /// Stops reading `partitions`.
    ///
    /// # Errors
    /// When the input refuses.
    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt>;

    /// Commits that all records before `offsets` are processed.
    ///
    /// # Errors
    /// When it was refused for a reason that no retry resolves. A commit that merely failed is logged, and the next one
    /// repeats it.
    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt>;
}

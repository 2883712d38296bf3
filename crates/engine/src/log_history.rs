//! The history of a partition's log, by which a worker notices that records were replaced.
//!
//! After an unclean election, a Kafka partition ends before records that were already read, and other records take their
//! offsets. An offset alone does not show this once the log has grown again. Every leader of a Kafka partition has a
//! *leader epoch*, which is stored with its records. A position with a leader epoch therefore identifies all records
//! before it.
//! Owns: the contract between a worker and the log. Does not own: what follows from lost records
//! (`checkpoint/restore_behind_truncation.rs`), and the implementations, which are in `windrow-connectors`.

use crate::Halt;
use crate::halt::SharedError;
use crate::identifiers::Partition;
use crate::log_position::{HeldOffsets, LogPosition};

/// The reason why a log does not say which records it shares with a reader.
#[derive(Debug)]
pub enum LogHistoryFault {
    /// The log does not answer. A later call may succeed.
    NoAnswer(SharedError),
    /// Records were lost, and the pipeline does not allow it.
    Halted(Halt),
}

/// The history of all partitions of a topic.
pub trait LogHistory: Send + Sync {
    /// Returns the offsets of those records that the log holds now and held when `position` was the next position of a
    /// reader. They end at `position.offset` or later, unless records before `position` were replaced. Returns `None` if
    /// the leader epoch is unknown, or the log has no leader epochs. Any thread may call this function. It returns within
    /// seconds.
    ///
    /// # Errors
    /// When the log does not answer, or has lost records although the pipeline does not allow it.
    fn find_shared_offsets(
        &self,
        partition: Partition,
        position: LogPosition,
    ) -> Result<Option<HeldOffsets>, LogHistoryFault>;
}

/// The history of a log that never replaces records, or that has no leader epochs.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnknownLogHistory;

impl LogHistory for UnknownLogHistory {
    fn find_shared_offsets(&self, _: Partition, _: LogPosition) -> Result<Option<HeldOffsets>, LogHistoryFault> {
        Ok(None)
    }
}

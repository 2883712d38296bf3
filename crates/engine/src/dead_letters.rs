//! Dead letters are records that are not events, and rows that the row store refused. The worker stores each dead
//! letter with the reason, and the job continues.
//!
//! Owns: the content of a dead letter, and the contract of a dead-letter sink. Does not own: the implementations (the
//! connectors).

use crate::{Halt, SourceRecord};

/// A record that is not an event, with the reason.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The topic or the file that the record was read from.
    pub source_topic: &'a str,
    /// The record, with partition, offset, key and payload.
    pub record: SourceRecord<'a>,
    /// The reason why the record is not an event.
    pub reason: &'a str,
}

/// A row that the row store refused. For example, the Redis key of the row already holds a value of another type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// The key of the row in the row store.
    pub row_key: Vec<u8>,
    /// The reason that the row store gave.
    pub reason: String,
}

/// A worker's interface to the storage of dead letters.
pub trait DeadLetterSink {
    /// Writes a record that is not an event.
    ///
    /// # Errors
    /// When the record cannot be written. The job then halts, because otherwise the record would be lost.
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt>;

    /// Writes a row that the row store refused.
    ///
    /// # Errors
    /// When the row cannot be written.
    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt>;

    /// Waits until all dead letters written so far are stored durably, so that a crash of this process loses no dead
    /// letter.
    ///
    /// # Errors
    /// When the dead letters cannot be stored durably.
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Discards all dead letters. Used when the pipeline file names no destination for dead letters. The worker still
/// counts every dead letter and logs the first ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDeadLetterSink;

impl DeadLetterSink for NoDeadLetterSink {
    fn write_record(&mut self, _letter: DeadLetter<'_>) -> Result<(), Halt> {
        Ok(())
    }

    fn write_refused_row(&mut self, _row: &RefusedRow) -> Result<(), Halt> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(())
    }
}

impl<D: DeadLetterSink + ?Sized> DeadLetterSink for Box<D> {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        (**self).write_record(letter)
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        (**self).write_refused_row(row)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        (**self).flush()
    }
}

//! Dead letters: records that are not events, and rows that the row store refused. They are written with a reason, and
//! the job continues.
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

/// A row that the row store refused, for example because its key holds a value of another Redis type.
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
    /// When the record cannot be written. The job must halt then, because the record must not be lost.
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt>;

    /// Writes a row that the row store refused.
    ///
    /// # Errors
    /// When the row cannot be written.
    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt>;

    /// Waits until all dead letters written so far survive a crash of this process.
    ///
    /// # Errors
    /// When the dead letters cannot be stored durably.
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Discards dead letters, for a pipeline file that names no destination for them. The worker still counts and logs
/// each dead letter.
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

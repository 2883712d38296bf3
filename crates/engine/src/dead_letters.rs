//! Dead letters are records that are not events, and rows that the row store refused. The worker stores each dead
//! letter together with the reason why it is one, and the job continues.
//!
//! Owns: the content of a dead letter, and the contract of a dead-letter sink. Does not own: the implementations of
//! this sink, which are in `windrow-connectors`.

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

/// A row that the row store refused. For example, Redis refuses a row if the row's key already holds a value of another
/// type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// The key of the row in the row store.
    pub row_key: Vec<u8>,
    /// The reason that the row store gave for the refusal.
    pub reason: String,
}

/// A worker's interface to the storage of dead letters.
pub trait DeadLetterSink {
    /// Writes a record that is not an event to the storage of dead letters.
    ///
    /// # Errors
    /// When the sink cannot write the record. The job then halts, because the record would be lost if the job
    /// continued.
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt>;

    /// Writes a refused row to the storage of dead letters. The row store has refused the row.
    ///
    /// # Errors
    /// When the row cannot be written.
    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt>;

    /// Waits until all dead letters written so far are stored durably. A crash of this process then loses none of them.
    ///
    /// # Errors
    /// When the dead letters cannot be stored durably.
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Discards all dead letters. A job uses this sink if it has no destination for dead letters. The worker still counts
/// every dead letter, and logs the first records that are not events.
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

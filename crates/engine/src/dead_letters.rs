//! Dead letters: records that are not events and rows that the store refused, written with the reason instead of stopping
//! the job.
//!
//! Owns: what a dead letter contains, and the contract of its store. Does not own: any particular store (the connectors).

use crate::{Halt, SourceRecord};

/// A record that could not become an event.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The topic (or file) it was read from.
    pub topic: &'a str,
    /// The record: partition, offset, key and original bytes.
    pub record: SourceRecord<'a>,
    /// Why it is not an event.
    pub reason: &'a str,
}

/// A row that the store refused for a reason of its own, such as a key that holds something else than rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// Its key in the store.
    pub key: Vec<u8>,
    /// The store's reason.
    pub reason: String,
}

/// A store of dead letters, as one worker sees it.
pub trait DeadLetterSink {
    /// Writes a record that is not an event.
    ///
    /// # Errors
    /// When it cannot be written: it must not be lost silently.
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt>;

    /// Writes a row that the store refused.
    ///
    /// # Errors
    /// As [`Self::write_record`].
    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt>;

    /// Returns once everything written so far survives a crash of this process.
    ///
    /// # Errors
    /// As [`Self::write_record`].
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Writes nothing: dead letters are only counted and logged, because the pipeline file names no place for them.
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

//! Dead letters: records that are not events and rows that the store refused, kept with the reason instead of stopping
//! the job.
//!
//! Owns: what a dead letter says. Does not own: where it is kept (the connectors).

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

/// A place where dead letters are kept.
pub trait DeadLetterSink {
    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be kept: losing it silently is not an option.
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt>;

    /// Keeps a row that the store refused.
    ///
    /// # Errors
    /// As [`Self::keep`].
    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt>;

    /// Returns once all that was kept so far will survive a crash of this process.
    ///
    /// # Errors
    /// As [`Self::keep`].
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Keeps none: they are only counted and logged, because the pipeline file names no place for them.
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

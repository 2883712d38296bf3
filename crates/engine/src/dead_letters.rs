//! Dead letters are records that are not events, and rows that the row store refused. The worker stores each dead
//! letter together with the reason why it is one, and the job continues. It stores the records of late events in the same
//! way, in a place of their own.
//!
//! Owns: the content of a dead letter and of a late record, and the contract of the sink of both. Does not own: the
//! implementations of this sink, which are in `windrow-connectors`.

use windrow_core::{FeatureView, ViewId};

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

/// The record of an event that is late for at least one feature view.
#[derive(Clone, Copy, Debug)]
pub struct LateRecord<'a> {
    /// The topic or the file that the record was read from.
    pub source_topic: &'a str,
    /// The record, with partition, offset, key and payload.
    pub record: SourceRecord<'a>,
    /// All feature views of the job.
    pub job_views: &'a [FeatureView],
    /// The feature views for which the event is late.
    pub late_views: &'a [ViewId],
    /// The time of the event, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The watermark of the partition when the event arrived, in epoch milliseconds. It is not before the event time.
    pub watermark_ms: i64,
}

impl<'a> LateRecord<'a> {
    /// Returns the names of the feature views for which the event is late.
    pub fn view_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let job_views = self.job_views;
        self.late_views.iter().filter_map(move |view_id| job_views.get(view_id.0)).map(|view| &*view.name)
    }

    /// Returns how far the event time lies behind the watermark, in milliseconds.
    #[must_use]
    pub const fn lateness_ms(&self) -> i64 {
        self.watermark_ms.saturating_sub(self.event_time_ms)
    }
}

/// What a place stores. Error messages name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectedContent {
    /// Dead letters.
    DeadLetters,
    /// The records of late events.
    LateEvents,
}

impl RejectedContent {
    /// Returns the noun for messages.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead letters",
            Self::LateEvents => "late events",
        }
    }

    /// Returns the section of the pipeline file that names the place.
    #[must_use]
    pub const fn section_name(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::LateEvents => "late_events",
        }
    }
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

/// A worker's interface to the storage of dead letters, and of the records of late events.
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

    /// Writes the record of a late event to the storage of late events.
    ///
    /// # Errors
    /// When the sink cannot write the record.
    fn write_late_record(&mut self, late: LateRecord<'_>) -> Result<(), Halt>;

    /// Waits until everything written so far is stored durably. A crash of this process then loses nothing of it.
    ///
    /// # Errors
    /// When something cannot be stored durably.
    fn flush(&mut self) -> Result<(), Halt>;
}

/// Discards all dead letters and late records. A job uses this sink if it has no destination for them. The worker still
/// counts all of them, and logs the first records that are not events.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDeadLetterSink;

impl DeadLetterSink for NoDeadLetterSink {
    fn write_record(&mut self, _letter: DeadLetter<'_>) -> Result<(), Halt> {
        Ok(())
    }

    fn write_refused_row(&mut self, _row: &RefusedRow) -> Result<(), Halt> {
        Ok(())
    }

    fn write_late_record(&mut self, _late: LateRecord<'_>) -> Result<(), Halt> {
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

    fn write_late_record(&mut self, late: LateRecord<'_>) -> Result<(), Halt> {
        (**self).write_late_record(late)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        (**self).flush()
    }
}

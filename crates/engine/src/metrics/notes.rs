//! The newest of what a person wants to see one by one: late events, dead letters, and moments worth a mark.
//!
//! Invariant: under a flood only some are taken note of ([`RecordingBudget`]); the counters count all.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use windrow_core::ViewId;

use crate::{Offset, Partition, RefusedRow, SourceRecord};

/// How many of each kind are remembered per worker.
const MAX_REMEMBERED: usize = 50;
/// What is kept of a record.
const MAX_SAMPLE_BYTES: usize = 8 * 1024;
/// How many of each kind are taken note of between two times that the worker publishes where it stands: some tenth of a
/// second.
const RECORDED_PER_PUBLISH: u32 = 2;

/// Bytes of a record, cut where they are many.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TruncatedBytes {
    /// What is kept.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub full_length: usize,
}

impl TruncatedBytes {
    fn truncate(bytes: &[u8]) -> Self {
        Self { bytes: bytes[..bytes.len().min(MAX_SAMPLE_BYTES)].to_vec(), full_length: bytes.len() }
    }
}

/// An event that came too late for at least one feature view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LateEventRecord {
    /// When it was seen, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
    /// The views it was late for.
    pub views: Vec<ViewId>,
    /// The entity.
    pub key: String,
    /// Its event time and the partition's watermark before it, in epoch milliseconds.
    pub event_time_ms: i64,
    /// See [`Self::event_time_ms`].
    pub watermark_ms: Option<i64>,
    /// Where it lies.
    pub partition: Partition,
    /// See [`Self::partition_folder`].
    pub offset: Offset,
    /// The record.
    pub record: TruncatedBytes,
}

/// What became a dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterRecord {
    /// A record that was no event.
    Record {
        /// When it was seen, in epoch milliseconds of the wall clock.
        at_ms: i64,
        /// Why.
        reason: String,
        /// Where it lies.
        partition: Partition,
        /// See `partition`.
        offset: Offset,
        /// The record's key.
        key: Option<TruncatedBytes>,
        /// The record; `None` for the null value.
        record: Option<TruncatedBytes>,
    },
    /// A row that the store refused.
    RefusedRow {
        /// When it was seen, in epoch milliseconds of the wall clock.
        at_ms: i64,
        /// Why.
        reason: String,
        /// The row's key in the store.
        key: TruncatedBytes,
    },
}

impl DeadLetterRecord {
    /// When it was seen.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Record { at_ms, .. } | Self::RefusedRow { at_ms, .. } => *at_ms,
        }
    }
}

/// A moment worth a mark on a chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineMark {
    /// When, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
    /// What kind of moment.
    pub kind: TimelineMarkKind,
    /// For people.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimelineMarkKind {
    /// Partitions came.
    Assigned,
    /// Partitions went.
    Revoked,
    /// A savepoint holds a partition.
    Savepoint,
    /// A checkpoint failed.
    CheckpointFailed,
}

/// The newest of each kind, of one worker.
#[derive(Debug, Default)]
pub struct RecentEvents {
    late_events: BoundedHistory<LateEventRecord>,
    dead_letters: BoundedHistory<DeadLetterRecord>,
    marks: BoundedHistory<TimelineMark>,
}

impl RecentEvents {
    /// Late events, newest first.
    #[must_use]
    pub fn late_events(&self) -> Vec<LateEventRecord> {
        self.late_events.newest_first()
    }

    /// Dead letters, newest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetterRecord> {
        self.dead_letters.newest_first()
    }

    /// Marks, newest first.
    #[must_use]
    pub fn marks(&self) -> Vec<TimelineMark> {
        self.marks.newest_first()
    }

    pub(crate) fn add_mark(&self, kind: TimelineMarkKind, text: String) {
        self.marks.push(TimelineMark { at_ms: now_ms(), kind, text });
    }
}

/// A worker's pen: how much it may still take note of until it publishes next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecordingBudget {
    late_events: u32,
    dead_letters: u32,
    refused_rows: u32,
}

impl RecordingBudget {
    pub(crate) fn refill(&mut self) {
        *self = Self {
            late_events: RECORDED_PER_PUBLISH,
            dead_letters: RECORDED_PER_PUBLISH,
            refused_rows: RECORDED_PER_PUBLISH,
        };
    }

    /// Takes note of `record`, whose event of `key` was late for `views`.
    pub(crate) fn record_late_event(
        &mut self,
        notes: &RecentEvents,
        record: &SourceRecord<'_>,
        key: &str,
        (event_time_ms, watermark_ms): (i64, Option<i64>),
        views: &[ViewId],
    ) {
        if take_one(&mut self.late_events) {
            notes.late_events.push(LateEventRecord {
                at_ms: now_ms(),
                views: views.to_vec(),
                key: key.to_owned(),
                event_time_ms,
                watermark_ms,
                partition: record.partition,
                offset: record.offset,
                record: TruncatedBytes::truncate(record.payload.unwrap_or_default()),
            });
        }
    }

    /// Takes note of `record`, which is no event.
    pub(crate) fn record_dead_letter(&mut self, notes: &RecentEvents, record: &SourceRecord<'_>, reason: &str) {
        if take_one(&mut self.dead_letters) {
            notes.dead_letters.push(DeadLetterRecord::Record {
                at_ms: now_ms(),
                reason: reason.to_owned(),
                partition: record.partition,
                offset: record.offset,
                key: record.key.map(TruncatedBytes::truncate),
                record: record.payload.map(TruncatedBytes::truncate),
            });
        }
    }

    /// Takes note of a refused row.
    pub(crate) fn record_refused_row(&mut self, notes: &RecentEvents, row: &RefusedRow) {
        if take_one(&mut self.refused_rows) {
            notes.dead_letters.push(DeadLetterRecord::RefusedRow {
                at_ms: now_ms(),
                reason: row.reason.clone(),
                key: TruncatedBytes::truncate(&row.key),
            });
        }
    }
}

fn take_one(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[derive(Debug)]
struct BoundedHistory<T>(Mutex<VecDeque<T>>);

impl<T> Default for BoundedHistory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> BoundedHistory<T> {
    fn push(&self, item: T) {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() == MAX_REMEMBERED {
            items.pop_front();
        }
        items.push_back(item);
    }

    fn newest_first(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

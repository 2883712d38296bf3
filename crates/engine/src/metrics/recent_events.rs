//! The newest late events, dead letters and marks, one by one, for pages that list them.
//!
//! Invariant: in a flood only some are recorded ([`RecordingBudget`]); the counters count all.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use windrow_core::ViewId;

use crate::{DeadLetter, Offset, Partition, RefusedRow, SourceRecord};

/// How many of each kind are remembered per worker.
const MAX_REMEMBERED: usize = 50;
/// Bytes kept of a record.
const MAX_SAMPLE_BYTES: usize = 8 * 1024;
/// How many of each kind are recorded between two times that the worker publishes its metrics: about a tenth of a second.
const RECORDED_PER_PUBLISH: u32 = 2;

/// The first bytes of a record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TruncatedBytes {
    /// The bytes kept.
    pub bytes: Vec<u8>,
    /// How many bytes there were.
    pub full_length: usize,
}

impl TruncatedBytes {
    fn truncate(bytes: &[u8]) -> Self {
        Self { bytes: bytes[..bytes.len().min(MAX_SAMPLE_BYTES)].to_vec(), full_length: bytes.len() }
    }
}

/// An event that came too late for at least one feature view. Times are in epoch milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LateEventRecord {
    /// When it was processed, by the wall clock.
    pub at_ms: i64,
    /// The views it was late for.
    pub views: Vec<ViewId>,
    /// The entity.
    pub key: String,
    /// Its event time.
    pub event_time_ms: i64,
    /// The partition's watermark before it.
    pub watermark_ms: Option<i64>,
    /// The partition of its record.
    pub partition: Partition,
    /// The offset of its record.
    pub offset: Offset,
    /// The record.
    pub record: TruncatedBytes,
}

/// What became a dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterRecord {
    /// A record that was not an event.
    Record {
        /// When it was processed, in epoch milliseconds of the wall clock.
        at_ms: i64,
        /// Why it was not an event.
        reason: String,
        /// The record's partition.
        partition: Partition,
        /// The record's offset.
        offset: Offset,
        /// The record's key.
        key: Option<TruncatedBytes>,
        /// The record; `None` for the null value.
        record: Option<TruncatedBytes>,
    },
    /// A row that the store refused.
    RefusedRow {
        /// When it was reported, in epoch milliseconds of the wall clock.
        at_ms: i64,
        /// Why it was refused.
        reason: String,
        /// The row's key in the store.
        key: TruncatedBytes,
    },
}

impl DeadLetterRecord {
    /// Returns when it was recorded, in epoch milliseconds of the wall clock.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Record { at_ms, .. } | Self::RefusedRow { at_ms, .. } => *at_ms,
        }
    }
}

/// A moment that charts mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineMark {
    /// When, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
    /// What happened.
    pub kind: TimelineMarkKind,
    /// The label of the mark.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimelineMarkKind {
    /// Partitions were assigned.
    Assigned,
    /// Partitions were revoked or lost.
    Revoked,
    /// A savepoint holds a partition.
    Savepoint,
    /// A checkpoint failed.
    CheckpointFailed,
}

/// The newest events of each kind, of one worker.
#[derive(Debug, Default)]
pub struct RecentEvents {
    late_events: BoundedHistory<LateEventRecord>,
    dead_letters: BoundedHistory<DeadLetterRecord>,
    marks: BoundedHistory<TimelineMark>,
}

impl RecentEvents {
    /// Returns the late events, newest first.
    #[must_use]
    pub fn late_events(&self) -> Vec<LateEventRecord> {
        self.late_events.newest_first()
    }

    /// Returns the dead letters, newest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetterRecord> {
        self.dead_letters.newest_first()
    }

    /// Returns the marks, newest first.
    #[must_use]
    pub fn marks(&self) -> Vec<TimelineMark> {
        self.marks.newest_first()
    }

    pub(crate) fn add_mark(&self, mark: TimelineMark) {
        self.marks.push(mark);
    }
}

/// How many events of each kind may still be recorded until the worker publishes its metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordingBudget {
    late_events: u32,
    dead_letters: u32,
    refused_rows: u32,
}

/// An event that came too late for some views.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateArrival<'a> {
    pub(crate) record: &'a SourceRecord<'a>,
    pub(crate) entity_key: &'a str,
    pub(crate) event_time_ms: i64,
    /// The partition's watermark before the event.
    pub(crate) watermark_ms: Option<i64>,
    /// The views it was late for.
    pub(crate) views: &'a [ViewId],
}

impl RecordingBudget {
    pub(crate) const fn full() -> Self {
        Self {
            late_events: RECORDED_PER_PUBLISH,
            dead_letters: RECORDED_PER_PUBLISH,
            refused_rows: RECORDED_PER_PUBLISH,
        }
    }

    pub(crate) fn record_late_event(&mut self, events: &RecentEvents, late: LateArrival<'_>, at_ms: impl Fn() -> i64) {
        if take_one(&mut self.late_events) {
            events.late_events.push(LateEventRecord {
                at_ms: at_ms(),
                views: late.views.to_vec(),
                key: late.entity_key.to_owned(),
                event_time_ms: late.event_time_ms,
                watermark_ms: late.watermark_ms,
                partition: late.record.partition,
                offset: late.record.offset,
                record: TruncatedBytes::truncate(late.record.payload.unwrap_or_default()),
            });
        }
    }

    pub(crate) fn record_dead_letter(
        &mut self,
        events: &RecentEvents,
        letter: &DeadLetter<'_>,
        at_ms: impl Fn() -> i64,
    ) {
        if take_one(&mut self.dead_letters) {
            events.dead_letters.push(DeadLetterRecord::Record {
                at_ms: at_ms(),
                reason: letter.reason.to_owned(),
                partition: letter.record.partition,
                offset: letter.record.offset,
                key: letter.record.key.map(TruncatedBytes::truncate),
                record: letter.record.payload.map(TruncatedBytes::truncate),
            });
        }
    }

    pub(crate) fn record_refused_row(&mut self, events: &RecentEvents, row: &RefusedRow, at_ms: impl Fn() -> i64) {
        if take_one(&mut self.refused_rows) {
            events.dead_letters.push(DeadLetterRecord::RefusedRow {
                at_ms: at_ms(),
                reason: row.reason.clone(),
                key: TruncatedBytes::truncate(&row.key),
            });
        }
    }
}

fn take_one(left: &mut u32) -> bool {
    let available = *left > 0;
    *left = left.saturating_sub(1);
    available
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

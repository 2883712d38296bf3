//! The newest of what a person wants to see one by one: late events, dead letters, and moments worth a mark.
//!
//! Invariant: under a flood only some are taken note of ([`Allowance`]); the counters count all.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use windrow_core::ViewId;

use crate::{Offset, Partition, Record, RefusedRow};

/// How many of each kind are remembered per worker.
const REMEMBERED: usize = 50;
/// What is kept of a record.
const KEPT_BYTES: usize = 8 * 1024;
/// How many of each kind are taken note of between two times that the worker publishes where it stands: some tenth of a
/// second.
const ALLOWED: u32 = 2;

/// Bytes of a record, cut where they are many.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// What is kept.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub length: usize,
}

impl Kept {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes[..bytes.len().min(KEPT_BYTES)].to_vec(), length: bytes.len() }
    }
}

/// An event that came too late for at least one feature view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LateEvent {
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
    /// See [`Self::partition`].
    pub offset: Offset,
    /// The record.
    pub record: Kept,
}

/// What became a dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
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
        key: Option<Kept>,
        /// The record; `None` for the null value.
        record: Option<Kept>,
    },
    /// A row that the store refused.
    Row {
        /// When it was seen, in epoch milliseconds of the wall clock.
        at_ms: i64,
        /// Why.
        reason: String,
        /// The row's key in the store.
        key: Kept,
    },
}

impl Unfit {
    /// When it was seen.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Record { at_ms, .. } | Self::Row { at_ms, .. } => *at_ms,
        }
    }
}

/// A moment worth a mark on a chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
    /// What kind of moment.
    pub kind: MarkKind,
    /// For people.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MarkKind {
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
pub struct Notes {
    late: Ring<LateEvent>,
    unfit: Ring<Unfit>,
    marks: Ring<Mark>,
}

impl Notes {
    /// Late events, newest first.
    #[must_use]
    pub fn late_events(&self) -> Vec<LateEvent> {
        self.late.newest_first()
    }

    /// Dead letters, newest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<Unfit> {
        self.unfit.newest_first()
    }

    /// Marks, newest first.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        self.marks.newest_first()
    }

    pub(crate) fn mark(&self, kind: MarkKind, text: String) {
        self.marks.push(Mark { at_ms: now_ms(), kind, text });
    }
}

/// A worker's pen: how much it may still take note of until it publishes next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    late: u32,
    records: u32,
    rows: u32,
}

impl Allowance {
    pub(crate) fn renew(&mut self) {
        *self = Self { late: ALLOWED, records: ALLOWED, rows: ALLOWED };
    }

    /// Takes note of `record`, whose event of `key` was late for `views`.
    pub(crate) fn late(
        &mut self,
        notes: &Notes,
        record: &Record<'_>,
        key: &str,
        (event_time_ms, watermark_ms): (i64, Option<i64>),
        views: &[ViewId],
    ) {
        if spend(&mut self.late) {
            notes.late.push(LateEvent {
                at_ms: now_ms(),
                views: views.to_vec(),
                key: key.to_owned(),
                event_time_ms,
                watermark_ms,
                partition: record.partition,
                offset: record.offset,
                record: Kept::of(record.payload.unwrap_or_default()),
            });
        }
    }

    /// Takes note of `record`, which is no event.
    pub(crate) fn record(&mut self, notes: &Notes, record: &Record<'_>, reason: &str) {
        if spend(&mut self.records) {
            notes.unfit.push(Unfit::Record {
                at_ms: now_ms(),
                reason: reason.to_owned(),
                partition: record.partition,
                offset: record.offset,
                key: record.key.map(Kept::of),
                record: record.payload.map(Kept::of),
            });
        }
    }

    /// Takes note of a refused row.
    pub(crate) fn row(&mut self, notes: &Notes, row: &RefusedRow) {
        if spend(&mut self.rows) {
            notes.unfit.push(Unfit::Row { at_ms: now_ms(), reason: row.reason.clone(), key: Kept::of(&row.key) });
        }
    }
}

fn spend(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[derive(Debug)]
struct Ring<T>(Mutex<VecDeque<T>>);

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Ring<T> {
    fn push(&self, item: T) {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() == REMEMBERED {
            items.pop_front();
        }
        items.push_back(item);
    }

    fn newest_first(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

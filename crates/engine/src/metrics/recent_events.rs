//! The newest late events, dead letters and timeline marks, for pages that list them.
//!
//! The counters of a worker include every late event and dead letter. The lists omit some late events and dead letters
//! when many occur in a short time ([`RecordingBudget`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parking_lot::Mutex;
use windrow_core::ViewId;

use crate::{DeadLetter, Offset, Partition, RefusedRow, SourceRecord};

/// The maximum number of entries in each list of a worker: late events, dead letters, and timeline marks.
const MAX_REMEMBERED_EVENTS: usize = 50;
/// The maximum number of bytes that a list keeps of a payload or a key.
const MAX_KEPT_RECORD_BYTES: usize = 8 * 1024;
/// The maximum number of late events that the list accepts between two publications of metrics. The worker publishes
/// its metrics about every 0.1 s. The same maximum applies to records that are not events, and to refused rows.
const MAX_EVENTS_RECORDED_PER_PUBLISH: u32 = 2;

/// The first bytes of a payload or a key, and the length of the whole payload or key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TruncatedBytes {
    /// The first bytes of the payload or key.
    pub kept_bytes: Vec<u8>,
    /// The length in bytes of the whole payload or key.
    pub full_byte_count: usize,
}

impl TruncatedBytes {
    fn keep_first_bytes(bytes: &[u8]) -> Self {
        Self { kept_bytes: bytes[..bytes.len().min(MAX_KEPT_RECORD_BYTES)].to_vec(), full_byte_count: bytes.len() }
    }
}

/// An event that was too late for at least one feature view. Times are in epoch milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LateEventRecord {
    /// The wall-clock time at which the event was processed.
    pub processed_at_ms: i64,
    /// The views that the event was too late for.
    pub late_views: Vec<ViewId>,
    /// The key of the entity.
    pub entity_key: String,
    /// The event time.
    pub event_time_ms: i64,
    /// The watermark of the partition before the event was processed.
    pub watermark_ms: Option<i64>,
    /// The partition of the record.
    pub partition: Partition,
    /// The offset of the record.
    pub offset: Offset,
    /// The first bytes of the record's payload.
    pub record_payload: TruncatedBytes,
}

/// A dead letter: a record that is not an event, or a row that the row store refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterRecord {
    /// A record that is not an event.
    Record {
        /// The wall-clock time at which the record was processed, in epoch milliseconds.
        at_ms: i64,
        /// The reason why the record is not an event.
        reason: String,
        /// The partition of the record.
        partition: Partition,
        /// The offset of the record.
        offset: Offset,
        /// The first bytes of the record's key.
        key: Option<TruncatedBytes>,
        /// The first bytes of the record's payload; `None` for Kafka's null value.
        record: Option<TruncatedBytes>,
    },
    /// A row that the row store refused.
    RefusedRow {
        /// The wall-clock time at which the worker learned of the refusal, in epoch milliseconds.
        at_ms: i64,
        /// The reason for the refusal.
        reason: String,
        /// The key of the row in the row store.
        key: TruncatedBytes,
    },
}

impl DeadLetterRecord {
    /// Returns the wall-clock time at which the worker recorded the dead letter, in epoch milliseconds.
    #[must_use]
    pub fn recorded_at_ms(&self) -> i64 {
        match self {
            Self::Record { at_ms, .. } | Self::RefusedRow { at_ms, .. } => *at_ms,
        }
    }
}

/// A fault of the input that does not make a record a dead letter, but makes rows wrong. An operator should remove the
/// cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputProblem {
    /// The kind of the problem.
    pub kind: InputProblemKind,
    /// The wall-clock time at which the worker found the problem, in epoch milliseconds.
    pub found_at_ms: i64,
    /// The description of the problem, with an example.
    pub description: String,
    /// What an operator can do.
    pub remedy: String,
}

/// The kind of an [`InputProblem`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum InputProblemKind {
    /// A record is in another partition than the other records of its entity.
    MisplacedRecord,
    /// An event time would be near the time of its record in another unit or format.
    MisreadEventTime,
    /// The sum of a feature has overflowed. Each feature is a problem of its own.
    FeatureOverflow {
        /// The view of the feature.
        view_id: ViewId,
        /// The position of the feature among the features of its view.
        feature_index: usize,
    },
}

/// A moment that the charts on the web pages mark, for example the failure of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineMark {
    /// The wall-clock time of the marked moment, in epoch milliseconds.
    pub marked_at_ms: i64,
    /// The reason for the mark.
    pub kind: TimelineMarkKind,
    /// The text that the charts show next to the mark.
    pub label: String,
}

/// The reason for a timeline mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimelineMarkKind {
    /// The consumer group assigned partitions to the worker.
    Assigned,
    /// The consumer group took partitions away from the worker.
    Revoked,
    /// A partition was written to a savepoint.
    Savepoint,
    /// A checkpoint failed.
    CheckpointFailed,
}

/// The newest late events, dead letters and timeline marks of one worker.
#[derive(Debug, Default)]
pub struct RecentEvents {
    late_events: BoundedHistory<LateEventRecord>,
    dead_letters: BoundedHistory<DeadLetterRecord>,
    timeline_marks: BoundedHistory<TimelineMark>,
    /// The newest input problem of each kind, for overflows of each feature.
    input_problems: Mutex<BTreeMap<InputProblemKind, InputProblem>>,
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

    /// Returns the timeline marks, newest first.
    #[must_use]
    pub fn timeline_marks(&self) -> Vec<TimelineMark> {
        self.timeline_marks.newest_first()
    }

    /// Returns the newest input problem of each kind, for overflows of each feature.
    #[must_use]
    pub fn input_problems(&self) -> Vec<InputProblem> {
        self.input_problems.lock().values().cloned().collect()
    }

    pub(crate) fn add_timeline_mark(&self, mark: TimelineMark) {
        self.timeline_marks.push(mark);
    }
}

/// The numbers of entries that the lists still accept before the worker publishes its metrics again. There is one
/// number for late events, one for records that are not events, and one for refused rows. The list of input problems
/// accepts one of each kind.
#[derive(Clone, Debug)]
pub(crate) struct RecordingBudget {
    late_events_left: u32,
    dead_letters_left: u32,
    refused_rows_left: u32,
    /// The kinds of input problems that the list no longer accepts.
    recorded_problem_kinds: BTreeSet<InputProblemKind>,
}

/// An event that was too late for at least one view, with data borrowed from the worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateArrival<'a> {
    pub(crate) source_record: &'a SourceRecord<'a>,
    pub(crate) entity_key: &'a str,
    pub(crate) event_time_ms: i64,
    /// The watermark of the partition before the event was processed.
    pub(crate) watermark_ms: Option<i64>,
    /// The views that the event was too late for.
    pub(crate) late_views: &'a [ViewId],
}

impl RecordingBudget {
    pub(crate) const fn new_full() -> Self {
        Self {
            late_events_left: MAX_EVENTS_RECORDED_PER_PUBLISH,
            dead_letters_left: MAX_EVENTS_RECORDED_PER_PUBLISH,
            refused_rows_left: MAX_EVENTS_RECORDED_PER_PUBLISH,
            recorded_problem_kinds: BTreeSet::new(),
        }
    }

    pub(crate) fn keep_recent_late_event(
        &mut self,
        events: &RecentEvents,
        late: LateArrival<'_>,
        at_ms: impl Fn() -> i64,
    ) {
        if take_from_budget(&mut self.late_events_left) {
            events.late_events.push(LateEventRecord {
                processed_at_ms: at_ms(),
                late_views: late.late_views.to_vec(),
                entity_key: late.entity_key.to_owned(),
                event_time_ms: late.event_time_ms,
                watermark_ms: late.watermark_ms,
                partition: late.source_record.partition,
                offset: late.source_record.offset,
                record_payload: TruncatedBytes::keep_first_bytes(late.source_record.payload.unwrap_or_default()),
            });
        }
    }

    pub(crate) fn record_dead_letter(
        &mut self,
        events: &RecentEvents,
        letter: &DeadLetter<'_>,
        at_ms: impl Fn() -> i64,
    ) {
        if take_from_budget(&mut self.dead_letters_left) {
            events.dead_letters.push(DeadLetterRecord::Record {
                at_ms: at_ms(),
                reason: letter.reason.to_owned(),
                partition: letter.record.partition,
                offset: letter.record.offset,
                key: letter.record.key.map(TruncatedBytes::keep_first_bytes),
                record: letter.record.payload.map(TruncatedBytes::keep_first_bytes),
            });
        }
    }

    pub(crate) fn record_input_problem(
        &mut self,
        events: &RecentEvents,
        kind: InputProblemKind,
        problem: impl Fn() -> InputProblem,
    ) {
        if self.recorded_problem_kinds.insert(kind) {
            events.input_problems.lock().insert(kind, problem());
        }
    }

    pub(crate) fn record_refused_row(&mut self, events: &RecentEvents, row: &RefusedRow, at_ms: impl Fn() -> i64) {
        if take_from_budget(&mut self.refused_rows_left) {
            events.dead_letters.push(DeadLetterRecord::RefusedRow {
                at_ms: at_ms(),
                reason: row.reason.clone(),
                key: TruncatedBytes::keep_first_bytes(&row.row_key),
            });
        }
    }
}

fn take_from_budget(left: &mut u32) -> bool {
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
        let mut items = self.0.lock();
        if items.len() == MAX_REMEMBERED_EVENTS {
            items.pop_front();
        }
        items.push_back(item);
    }

    fn newest_first(&self) -> Vec<T> {
        self.0.lock().iter().rev().cloned().collect()
    }
}

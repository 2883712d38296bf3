//! Session windows: they grow with the events of an entity and end with its silence.
//!
//! Owns: merging, and the timers that close sessions. Does not own: the arithmetic of accumulators, the watermark.
//! Invariants: (1) an entity's live sessions are sorted and neither overlap nor touch (window rule 5); (2) a live
//! session's end lies beyond the watermark, so an event that reaches one is never late; (3) an entity with sessions has
//! a timer at or before the earliest of their ends, and one timer only that counts.
//! Why this way: an event usually moves its session's end, so a timer per end would cost two queue operations per event.
//! One lazy timer per entity costs one per gap: when it rings too early, it is set again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::aggregate::Folds;
use crate::entities::{Entities, Slot};
use crate::strip::{Span, Strip};
use crate::{Event, EventTime, Output, Row, ViewId, Window};

/// "No timer is set."
const NEVER: i64 = i64::MAX;

/// One session view's state in one shard.
#[derive(Debug)]
pub(crate) struct SessionState {
    gap: i64,
    entities: Vec<EntitySessions>,
    timers: BinaryHeap<Reverse<(i64, Slot)>>,
}

#[derive(Debug)]
struct EntitySessions {
    /// Rows span `[first event time, last event time]`.
    strip: Strip,
    /// When its timer rings, in watermark time.
    timer: i64,
}

impl Default for EntitySessions {
    fn default() -> Self {
        Self { strip: Strip::default(), timer: NEVER }
    }
}

impl SessionState {
    pub(crate) fn new(gap_ms: i64) -> Self {
        Self { gap: gap_ms, entities: Vec::new(), timers: BinaryHeap::new() }
    }

    /// Folds `event` into the session it belongs to, merging those it joins; `false` if it is late for this view.
    pub(crate) fn add(
        &mut self,
        folds: &Folds,
        entities: &mut Entities,
        slot: Slot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let (time, gap) = (event.time.ms(), self.gap);
        if slot.index() >= self.entities.len() {
            self.entities.resize_with(slot.index() + 1, EntitySessions::default);
        }
        let sessions = &mut self.entities[slot.index()];
        let strip = &mut sessions.strip;
        // Rows `from..to` overlap or touch [time, time + gap).
        let to = strip.position(folds, time.saturating_add(gap).saturating_add(1));
        let mut from = to;
        while from > 0 && strip.span(folds, from - 1).to + gap >= time {
            from -= 1;
        }
        if from == to {
            if time + gap - 1 <= watermark.ms() {
                return false;
            }
            if strip.is_empty() {
                entities.retain(slot);
            }
            strip.insert(folds, from, Span { from: time, to: time });
        } else {
            let (first, last) = (strip.span(folds, from), strip.span(folds, to - 1));
            for row in from + 1..to {
                strip.merge_rows(folds, from, row);
            }
            strip.remove(folds, from + 1, to);
            strip.set_span(folds, from, Span { from: first.from.min(time), to: last.to.max(time) });
        }
        folds.fold(&mut strip.cells_mut(folds, from), event);
        let due = strip.span(folds, from).to + gap - 1;
        if due < sessions.timer {
            sessions.timer = due;
            self.timers.push(Reverse((due, slot)));
        }
        true
    }

    /// The watermark at which a timer rings next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.timers.peek().map_or(i64::MAX, |Reverse((due, _))| *due))
    }

    /// Fires every session whose end the watermark has reached.
    pub(crate) fn fire(
        &mut self,
        view: ViewId,
        folds: &Folds,
        entities: &mut Entities,
        watermark: EventTime,
        out: &mut impl Output,
    ) {
        while let Some(&Reverse((due, slot))) = self.timers.peek()
            && due <= watermark.ms()
        {
            self.timers.pop();
            let sessions = &mut self.entities[slot.index()];
            if sessions.timer != due {
                continue; // replaced by an earlier timer
            }
            let strip = &mut sessions.strip;
            let mut done = 0;
            while done < strip.len(folds) && strip.span(folds, done).to + self.gap - 1 <= watermark.ms() {
                let span = strip.span(folds, done);
                let window =
                    Window { start: EventTime::from_ms(span.from), end: EventTime::from_ms(span.to + self.gap) };
                out.row(Row {
                    view,
                    key: entities.key(slot),
                    window,
                    number: 0,
                    folds,
                    cells: strip.cells(folds, done),
                });
                done += 1;
            }
            strip.remove(folds, 0, done);
            if strip.is_empty() {
                sessions.timer = NEVER;
                entities.release(slot);
            } else {
                let due = strip.span(folds, 0).to + self.gap - 1;
                sessions.timer = due;
                self.timers.push(Reverse((due, slot)));
            }
        }
    }
}

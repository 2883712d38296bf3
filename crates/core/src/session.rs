//! Session windows: they grow with the events of an entity and end with its silence.
//!
//! Owns: merging, and the timers that close sessions. Does not own: the arithmetic of accumulators, the watermark.
//! Invariants: (1) an entity's live sessions are sorted and neither overlap nor touch (window rule 5); (2) a live
//! session's end lies beyond the watermark, so an event that reaches one is never late; (3) an entity with sessions has
//! a timer at or before the earliest of their ends, and one timer only that counts; (4) sessions fire in the order of
//! their ends, those that end together in the order of their slots, whatever timers were set on the way.
//! Why this way: an event usually moves its session's end, so a timer per end would cost two queue operations per event.
//! One lazy timer per entity costs one per gap: when it rings too early, it is set again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::aggregate::Folds;
use crate::entities::{Entities, Slot};
use crate::snapshot::Damaged;
use crate::snapshot::restore::records;
use crate::snapshot::saver::Saver;
use crate::snapshot::wire::Reader;
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
    /// Entities that have sessions.
    held: usize,
    pub(crate) saver: Saver,
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
        Self { gap: gap_ms, entities: Vec::new(), timers: BinaryHeap::new(), held: 0, saver: Saver::default() }
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
        if self.saver.touch(slot) && !strip.is_empty() {
            self.saver.record(slot, |out| strip.save(folds, out));
        }
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
                self.held += 1;
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
            let span = strip.span(folds, 0);
            if span.to + self.gap - 1 == due {
                let window =
                    Window { start: EventTime::from_ms(span.from), end: EventTime::from_ms(span.to + self.gap) };
                let (key, cells) = (entities.key(slot), strip.cells(folds, 0));
                out.row(Row { view, key, window, number: 0, folds, cells });
                if self.saver.remove_from(slot) {
                    self.saver.record(slot, |out| strip.save(folds, out));
                }
                strip.remove(folds, 0, 1);
            }
            if strip.is_empty() {
                sessions.timer = NEVER;
                entities.release(slot);
                self.held -= 1;
            } else {
                let due = strip.span(folds, 0).to + self.gap - 1;
                sessions.timer = due;
                self.timers.push(Reverse((due, slot)));
            }
        }
    }

    /// Saves the next slot of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next(&mut self, folds: &Folds) -> Option<usize> {
        let slot = self.saver.next()?;
        let strip = self.entities.get(slot.index()).map(|sessions| &sessions.strip).filter(|strip| !strip.is_empty());
        Some(strip.map_or(0, |strip| self.saver.record(slot, |out| strip.save(folds, out))))
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn slots(&self) -> usize {
        self.entities.len()
    }

    /// Takes over the sessions of a block of a snapshot of `slots` slots.
    pub(crate) fn load(&mut self, folds: &Folds, slots: u32, reader: Reader<'_>) -> Result<(), Damaged> {
        records(slots, reader, |slot, reader| {
            if slot >= self.entities.len() {
                self.entities.resize_with(slot + 1, EntitySessions::default);
            }
            self.entities[slot].strip = Strip::load(folds, reader)?;
            Ok(())
        })
    }

    /// Everything is loaded: drops the sessions that the watermark has passed, and sets the timers.
    pub(crate) fn resume(&mut self, folds: &Folds, entities: &mut Entities, watermark: EventTime) {
        let mut timers = Vec::new();
        for (slot, sessions) in self.entities.iter_mut().enumerate().filter(|(_, sessions)| !sessions.strip.is_empty())
        {
            let strip = &mut sessions.strip;
            let due = |strip: &Strip, row| strip.span(folds, row).to + self.gap - 1;
            let done = (0..strip.len(folds)).take_while(|&row| due(strip, row) <= watermark.ms()).count();
            strip.remove(folds, 0, done);
            if !strip.is_empty() {
                entities.retain_loaded(slot);
                self.held += 1;
                sessions.timer = due(strip, 0);
                #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
                timers.push(Reverse((sessions.timer, Slot(slot as u32))));
            }
        }
        self.timers = timers.into();
    }
}

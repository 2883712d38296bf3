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

use crate::aggregate::FeatureAggregators;
use crate::entities::{EntitySlot, EntityTable};
use crate::snapshot::DamagedSnapshot;
use crate::snapshot::restore::read_slot_records;
use crate::snapshot::saver::SnapshotWriter;
use crate::snapshot::wire::SnapshotReader;
use crate::strip::{AccumulatorTable, RowSpan};
use crate::{Event, EventTime, Row, ShardOutput, ViewId, Window};

/// "No timer is set."
const NO_TIMER: i64 = i64::MAX;

/// One session view's state in one shard.
#[derive(Debug)]
pub(crate) struct SessionState {
    gap_ms: i64,
    entities: Vec<EntitySessions>,
    timers: BinaryHeap<Reverse<(i64, EntitySlot)>>,
    /// Entities that have sessions.
    entity_count: usize,
    pub(crate) snapshot_writer: SnapshotWriter,
}

#[derive(Debug)]
struct EntitySessions {
    /// Rows span `[first event time, last event time]`.
    table: AccumulatorTable,
    /// When its timer rings, in watermark time.
    timer_ms: i64,
}

impl Default for EntitySessions {
    fn default() -> Self {
        Self { table: AccumulatorTable::default(), timer_ms: NO_TIMER }
    }
}

impl SessionState {
    pub(crate) fn new(gap_ms: i64) -> Self {
        Self {
            gap_ms,
            entities: Vec::new(),
            timers: BinaryHeap::new(),
            entity_count: 0,
            snapshot_writer: SnapshotWriter::default(),
        }
    }

    /// Folds `event` into the session it belongs to, merging those it joins; `false` if it is late for this view.
    pub(crate) fn add_event(
        &mut self,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let (time, gap) = (event.time.ms(), self.gap_ms);
        if slot.index() >= self.entities.len() {
            self.entities.resize_with(slot.index() + 1, EntitySessions::default);
        }
        let sessions = &mut self.entities[slot.index()];
        let strip = &mut sessions.table;
        if self.snapshot_writer.mark_changed(slot) && !strip.is_empty() {
            self.snapshot_writer.write_record(slot, |out| strip.save(folds, out));
        }
        // Rows `from..to` overlap or touch [time, time + gap).
        let to = strip.first_row_from(folds, time.saturating_add(gap).saturating_add(1));
        let mut from = to;
        while from > 0 && strip.span(folds, from - 1).to + gap >= time {
            from -= 1;
        }
        if from == to {
            if time + gap - 1 <= watermark.ms() {
                return false;
            }
            if strip.is_empty() {
                entities.add_view(slot);
                self.entity_count += 1;
            }
            strip.insert_row(folds, from, RowSpan { from: time, to: time });
        } else {
            let (first, last) = (strip.span(folds, from), strip.span(folds, to - 1));
            for row in from + 1..to {
                strip.merge_rows(folds, from, row);
            }
            strip.remove_rows(folds, from + 1, to);
            strip.set_span(folds, from, RowSpan { from: first.from.min(time), to: last.to.max(time) });
        }
        folds.fold_event(&mut strip.accumulators_mut(folds, from), event);
        let due = strip.span(folds, from).to + gap - 1;
        if due < sessions.timer_ms {
            sessions.timer_ms = due;
            self.timers.push(Reverse((due, slot)));
        }
        true
    }

    /// The watermark at which a timer rings next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.timers.peek().map_or(i64::MAX, |Reverse((due, _))| *due))
    }

    /// Fires every session whose end the watermark has reached.
    pub(crate) fn fire_due_sessions(
        &mut self,
        view: ViewId,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(&Reverse((due, slot))) = self.timers.peek()
            && due <= watermark.ms()
        {
            self.timers.pop();
            let sessions = &mut self.entities[slot.index()];
            if sessions.timer_ms != due {
                continue; // replaced by an earlier timer
            }
            let strip = &mut sessions.table;
            let span = strip.span(folds, 0);
            if span.to + self.gap_ms - 1 == due {
                let window =
                    Window { start: EventTime::from_ms(span.from), end: EventTime::from_ms(span.to + self.gap_ms) };
                let (key, cells) = (entities.key(slot), strip.accumulators(folds, 0));
                out.emit_row(Row { view, key, window, number: 0, aggregators: folds, accumulators: cells });
                if self.snapshot_writer.take_pending(slot) {
                    self.snapshot_writer.write_record(slot, |out| strip.save(folds, out));
                }
                strip.remove_rows(folds, 0, 1);
            }
            if strip.is_empty() {
                sessions.timer_ms = NO_TIMER;
                entities.remove_view(slot);
                self.entity_count -= 1;
            } else {
                let due = strip.span(folds, 0).to + self.gap_ms - 1;
                sessions.timer_ms = due;
                self.timers.push(Reverse((due, slot)));
            }
        }
    }

    /// Saves the next slot of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next_slot(&mut self, folds: &FeatureAggregators) -> Option<usize> {
        let slot = self.snapshot_writer.next_pending_slot()?;
        let strip = self.entities.get(slot.index()).map(|sessions| &sessions.table).filter(|strip| !strip.is_empty());
        Some(strip.map_or(0, |strip| self.snapshot_writer.write_record(slot, |out| strip.save(folds, out))))
    }

    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.entities.len()
    }

    /// Takes over the sessions of a block of a snapshot of `slots` slots.
    pub(crate) fn load_sessions(
        &mut self,
        folds: &FeatureAggregators,
        slots: u32,
        reader: SnapshotReader<'_>,
    ) -> Result<(), DamagedSnapshot> {
        read_slot_records(slots, reader, |slot, reader| {
            if slot >= self.entities.len() {
                self.entities.resize_with(slot + 1, EntitySessions::default);
            }
            self.entities[slot].table = AccumulatorTable::load(folds, reader)?;
            Ok(())
        })
    }

    /// Everything is loaded: drops the sessions that the watermark has passed, and sets the timers.
    pub(crate) fn finish_restore(
        &mut self,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
    ) {
        let mut timers = Vec::new();
        for (slot, sessions) in self.entities.iter_mut().enumerate().filter(|(_, sessions)| !sessions.table.is_empty())
        {
            let strip = &mut sessions.table;
            let due = |strip: &AccumulatorTable, row| strip.span(folds, row).to + self.gap_ms - 1;
            let done = (0..strip.row_count(folds)).take_while(|&row| due(strip, row) <= watermark.ms()).count();
            strip.remove_rows(folds, 0, done);
            if !strip.is_empty() {
                entities.add_loaded_view(slot);
                self.entity_count += 1;
                sessions.timer_ms = due(strip, 0);
                #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
                timers.push(Reverse((sessions.timer_ms, EntitySlot(slot as u32))));
            }
        }
        self.timers = timers.into();
    }
}

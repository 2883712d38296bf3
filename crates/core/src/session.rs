//! Session windows. A session grows with the events of an entity, and ends after a gap without events of the entity.
//!
//! A timer comes due at a certain watermark; then the shard checks whether a session of the entity fires.
//! Owns: merging sessions, and the timers. Does not own: the arithmetic of accumulators, the watermark.
//! Invariants: (1) The sessions of an entity are sorted by time, and neither overlap nor touch (window rule 5). (2) A
//! stored session ends after the watermark, so an event that joins a stored session is never late. (3) An entity with
//! sessions has exactly one valid timer, due no later than the end of its earliest session. Replaced timers stay in the
//! queue and are ignored. (4) Sessions fire in the order of their ends. Sessions with the same end fire in the order of
//! their slots, no matter in which order their timers were set.
//! Why one timer per entity: an event usually moves the end of its session. With a timer per session, every event would
//! cost two operations on the queue of timers. Instead, the timer of an entity stays in the queue when an event moves
//! the end of a session. If the timer comes due before the new end, it is set again. An active entity thus costs about
//! one queue operation per gap length of event time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::aggregate::FeatureAggregators;
use crate::entity_accumulators::{EntityAccumulators, PaneOrSessionSpan};
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader};
use crate::snapshot::slots::{HasDerivedState, RestorePermit, SlotRecordBlock, SlotState, SlotTable};
use crate::time::{EventTime, Window};

/// The value of [`EntitySessions::timer_due_ms`] while the entity has no timer.
const NO_TIMER: i64 = i64::MAX;

/// The state of one session view in one shard.
#[derive(Debug)]
pub(crate) struct SessionViewState {
    gap_ms: i64,
    pub(crate) sessions_by_slot: SlotTable<EntitySessions>,
    timers_by_due_time: BinaryHeap<Reverse<(i64, EntitySlot)>>,
    entity_count: usize,
}

#[derive(Debug)]
pub(crate) struct EntitySessions {
    /// One entry per session. The span of an entry is the first and the last event time of the session.
    session_entries: EntityAccumulators,
    /// The watermark, in epoch milliseconds, at which the timer of the entity comes due, or [`NO_TIMER`].
    timer_due_ms: i64,
}

impl Default for EntitySessions {
    fn default() -> Self {
        Self { session_entries: EntityAccumulators::default(), timer_due_ms: NO_TIMER }
    }
}

impl SlotState for EntitySessions {
    type EncodingContext = FeatureAggregators;

    fn is_empty(&self) -> bool {
        self.session_entries.is_empty()
    }

    fn remove_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize) {
        self.session_entries.remove_entries(aggregators, 0, count);
    }

    fn move_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize, expired: &mut Self) {
        self.session_entries.move_oldest_entries(aggregators, count, &mut expired.session_entries);
    }

    fn save(&self, expired: Option<&Self>, aggregators: &FeatureAggregators, out: &mut Vec<u8>) {
        let expired = expired.map(|expired| &expired.session_entries);
        EntityAccumulators::save_consecutive(expired, &self.session_entries, aggregators, out);
    }

    fn load(aggregators: &FeatureAggregators, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Ok(Self { session_entries: EntityAccumulators::load(aggregators, reader)?, timer_due_ms: NO_TIMER })
    }
}

impl HasDerivedState for EntitySessions {
    /// The watermark, in epoch milliseconds, at which the timer of the entity comes due, or [`NO_TIMER`].
    type DerivedState = i64;

    fn derived_state_mut(&mut self) -> &mut i64 {
        &mut self.timer_due_ms
    }
}

impl SessionViewState {
    pub(crate) fn new(gap_ms: i64) -> Self {
        Self { gap_ms, sessions_by_slot: SlotTable::default(), timers_by_due_time: BinaryHeap::new(), entity_count: 0 }
    }

    /// Folds `event` into the session that contains it, or into a new session. If the event closes the gap between two
    /// sessions, merges them. Returns `false` and changes no session if the event is late for this view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let (time, gap_ms) = (event.time.ms(), self.gap_ms);
        self.sessions_by_slot.grow_to_include(slot);
        let EntitySessions { session_entries: table, timer_due_ms: timer_ms } =
            self.sessions_by_slot.open_for_change(slot, aggregators);
        // The entries `from..to` are the sessions that overlap or touch the range [time, time + gap_ms) of the new
        // event. Together with the event, they become one session.
        let to = table.find_first_entry_from(aggregators, time.saturating_add(gap_ms).saturating_add(1));
        let mut from = to;
        while from > 0 && table.entry_span(aggregators, from - 1).span_end + gap_ms >= time {
            from -= 1;
        }
        if from == to {
            if time + gap_ms - 1 <= watermark.ms() {
                return false;
            }
            if table.is_empty() {
                entities.add_view_to_slot(slot);
                self.entity_count += 1;
            }
            table.insert_entry(aggregators, from, PaneOrSessionSpan { span_start: time, span_end: time });
        } else {
            let (first, last) = (table.entry_span(aggregators, from), table.entry_span(aggregators, to - 1));
            for entry in from + 1..to {
                table.merge_entry_into_older(aggregators, from, entry);
            }
            table.remove_entries(aggregators, from + 1, to);
            table.set_entry_span(
                aggregators,
                from,
                PaneOrSessionSpan { span_start: first.span_start.min(time), span_end: last.span_end.max(time) },
            );
        }
        aggregators.fold_event(&mut table.entry_accumulators_mut(aggregators, from), event);
        let due = table.entry_span(aggregators, from).span_end + gap_ms - 1;
        if due < *timer_ms {
            *timer_ms = due;
            self.timers_by_due_time.push(Reverse((due, slot)));
        }
        true
    }

    /// Returns the watermark at which the next timer comes due, or the largest possible time if no timer is set.
    pub(crate) fn next_due_watermark(&self) -> EventTime {
        EventTime::from_ms(self.timers_by_due_time.peek().map_or(i64::MAX, |Reverse((due, _))| *due))
    }

    /// Fires every session whose last millisecond the watermark has reached, and removes the session.
    pub(crate) fn fire_due_sessions(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(&Reverse((due, slot))) = self.timers_by_due_time.peek()
            && due <= watermark.ms()
        {
            self.timers_by_due_time.pop();
            let EntitySessions { session_entries: table, timer_due_ms: timer_ms } = &self.sessions_by_slot[slot];
            if *timer_ms != due {
                continue; // another timer has replaced this one
            }
            let span = table.entry_span(aggregators, 0);
            if span.span_end + self.gap_ms - 1 == due {
                let window = Window {
                    start: EventTime::from_ms(span.span_start),
                    end: EventTime::from_ms(span.span_end + self.gap_ms),
                };
                let (key, accumulators) = (entities.entity_key(slot), table.entry_accumulators(aggregators, 0));
                out.emit_row(Row {
                    view_id: view,
                    entity_key: key,
                    window,
                    row_number: 0,
                    feature_aggregators: aggregators,
                    accumulators,
                });
                self.sessions_by_slot.expire_oldest_entries(slot, aggregators, 1);
            }
            let table = &self.sessions_by_slot[slot].session_entries;
            let next_due = (!table.is_empty()).then(|| table.entry_span(aggregators, 0).span_end + self.gap_ms - 1);
            *self.sessions_by_slot.derived_state_mut(slot) = next_due.unwrap_or(NO_TIMER);
            match next_due {
                Some(due) => self.timers_by_due_time.push(Reverse((due, slot))),
                None => {
                    entities.remove_view_from_slot(slot);
                    self.entity_count -= 1;
                }
            }
        }
    }

    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    /// Loads the sessions from one block of a snapshot, during a restore.
    pub(crate) fn load_sessions(
        &mut self,
        aggregators: &FeatureAggregators,
        records: SlotRecordBlock<'_>,
    ) -> Result<(), DamagedSnapshot> {
        self.sessions_by_slot.load_slot_block(aggregators, records, |_, _| Ok(()))
    }

    /// Ends a restore. Drops the sessions that had already fired when the newest loaded snapshot began. Sets one timer
    /// for each entity that still has sessions.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let mut timers = Vec::new();
        let gap_ms = self.gap_ms;
        let due = |table: &EntityAccumulators, entry| table.entry_span(aggregators, entry).span_end + gap_ms - 1;
        for (slot, EntitySessions { session_entries: table, timer_due_ms: timer_ms }) in
            self.sessions_by_slot.iter_restored_slots(permit)
        {
            if table.is_empty() {
                continue;
            }
            let entries = 0..table.entry_count(aggregators);
            let passed = entries.take_while(|&entry| due(table, entry) <= watermark.ms()).count();
            table.remove_entries(aggregators, 0, passed);
            if !table.is_empty() {
                entities.add_view_to_restored_slot(slot);
                self.entity_count += 1;
                *timer_ms = due(table, 0);
                timers.push(Reverse((*timer_ms, slot)));
            }
        }
        self.timers_by_due_time = timers.into();
    }
}

//! Session windows: they grow with the events of an entity, and end after a gap without events.
//!
//! Owns: merging sessions, and the timers that close them. Does not own: the arithmetic of accumulators, the watermark.
//! Invariants: (1) an entity's live sessions are sorted and neither overlap nor touch (window rule 5); (2) a live
//! session's end lies beyond the watermark, so an event that reaches one is never late; (3) an entity with sessions has
//! one valid timer, at or before the earliest of their ends; (4) sessions fire in the order of their ends, and those with
//! the same end in the order of their slots, whatever timers were set before.
//! Why this way: an event usually moves its session's end, so a timer per end would cost two queue operations per event.
//! One lazy timer per entity costs one per gap: when it is due too early, it is set again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::accumulator_table::{AccumulatorTable, RowSpan};
use crate::aggregate::FeatureAggregators;
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader};
use crate::snapshot::slots::{DerivedState, RestorePermit, SlotRecords, SlotState, SnapshotSlots};
use crate::time::{EventTime, Window};

/// The value of [`EntitySessions::timer_ms`] while no timer is set.
const NO_TIMER: i64 = i64::MAX;

/// One session view's state in one shard.
#[derive(Debug)]
pub(crate) struct SessionState {
    gap_ms: i64,
    /// The sessions of every entity.
    pub(crate) slots: SnapshotSlots<EntitySessions>,
    timers: BinaryHeap<Reverse<(i64, EntitySlot)>>,
    /// Number of entities with sessions.
    entity_count: usize,
}

#[derive(Debug)]
pub(crate) struct EntitySessions {
    /// Rows span `[first event time, last event time]`.
    table: AccumulatorTable,
    /// The watermark at which the entity's timer is due.
    timer_ms: i64,
}

impl Default for EntitySessions {
    fn default() -> Self {
        Self { table: AccumulatorTable::default(), timer_ms: NO_TIMER }
    }
}

impl SlotState for EntitySessions {
    type Layout = FeatureAggregators;

    fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn save(&self, aggregators: &FeatureAggregators, out: &mut Vec<u8>) {
        self.table.save(aggregators, out);
    }

    fn load(aggregators: &FeatureAggregators, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Ok(Self { table: AccumulatorTable::load(aggregators, reader)?, timer_ms: NO_TIMER })
    }
}

impl DerivedState for EntitySessions {
    /// The timer.
    type Derived = i64;

    fn derived_mut(&mut self) -> &mut i64 {
        &mut self.timer_ms
    }
}

impl SessionState {
    pub(crate) fn new(gap_ms: i64) -> Self {
        Self { gap_ms, slots: SnapshotSlots::default(), timers: BinaryHeap::new(), entity_count: 0 }
    }

    /// Folds `event` into its session, and merges the sessions that it joins. Returns `false` where the event is late for
    /// this view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let (time, gap_ms) = (event.time.ms(), self.gap_ms);
        self.slots.grow_to(slot);
        let EntitySessions { table, timer_ms } = self.slots.change(slot, aggregators);
        // Rows `from..to` overlap or touch [time, time + gap_ms).
        let to = table.first_row_from(aggregators, time.saturating_add(gap_ms).saturating_add(1));
        let mut from = to;
        while from > 0 && table.span(aggregators, from - 1).to + gap_ms >= time {
            from -= 1;
        }
        if from == to {
            if time + gap_ms - 1 <= watermark.ms() {
                return false;
            }
            if table.is_empty() {
                entities.add_view(slot);
                self.entity_count += 1;
            }
            table.insert_row(aggregators, from, RowSpan { from: time, to: time });
        } else {
            let (first, last) = (table.span(aggregators, from), table.span(aggregators, to - 1));
            for row in from + 1..to {
                table.merge_rows(aggregators, from, row);
            }
            table.remove_rows(aggregators, from + 1, to);
            table.set_span(aggregators, from, RowSpan { from: first.from.min(time), to: last.to.max(time) });
        }
        aggregators.fold_event(&mut table.accumulators_mut(aggregators, from), event);
        let due = table.span(aggregators, from).to + gap_ms - 1;
        if due < *timer_ms {
            *timer_ms = due;
            self.timers.push(Reverse((due, slot)));
        }
        true
    }

    /// Returns the watermark at which a timer is due next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.timers.peek().map_or(i64::MAX, |Reverse((due, _))| *due))
    }

    /// Fires every session whose end the watermark has reached.
    pub(crate) fn fire_due_sessions(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(&Reverse((due, slot))) = self.timers.peek()
            && due <= watermark.ms()
        {
            self.timers.pop();
            let EntitySessions { table, timer_ms } = &self.slots[slot];
            if *timer_ms != due {
                continue; // replaced by an earlier timer
            }
            let span = table.span(aggregators, 0);
            if span.to + self.gap_ms - 1 == due {
                let window =
                    Window { start: EventTime::from_ms(span.from), end: EventTime::from_ms(span.to + self.gap_ms) };
                let (key, accumulators) = (entities.key(slot), table.accumulators(aggregators, 0));
                out.emit_row(Row { view, key, window, number: 0, aggregators, accumulators });
                self.slots.expire(slot, aggregators).table.remove_rows(aggregators, 0, 1);
            }
            let table = &self.slots[slot].table;
            let next_due = (!table.is_empty()).then(|| table.span(aggregators, 0).to + self.gap_ms - 1);
            *self.slots.derived_mut(slot) = next_due.unwrap_or(NO_TIMER);
            match next_due {
                Some(due) => self.timers.push(Reverse((due, slot))),
                None => {
                    entities.remove_view(slot);
                    self.entity_count -= 1;
                }
            }
        }
    }

    /// Returns the number of entities with sessions.
    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    /// Loads the sessions of a block of a snapshot.
    pub(crate) fn load_sessions(
        &mut self,
        aggregators: &FeatureAggregators,
        records: SlotRecords<'_>,
    ) -> Result<(), DamagedSnapshot> {
        self.slots.load(aggregators, records, |_, _| Ok(()))
    }

    /// Ends a restore: drops the sessions that the watermark has passed, and sets the timers.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let mut timers = Vec::new();
        let gap_ms = self.gap_ms;
        let due = |table: &AccumulatorTable, row| table.span(aggregators, row).to + gap_ms - 1;
        for (slot, EntitySessions { table, timer_ms }) in self.slots.iter_restored(permit) {
            if table.is_empty() {
                continue;
            }
            let rows = 0..table.row_count(aggregators);
            let passed = rows.take_while(|&row| due(table, row) <= watermark.ms()).count();
            table.remove_rows(aggregators, 0, passed);
            if !table.is_empty() {
                entities.add_loaded_view(slot);
                self.entity_count += 1;
                *timer_ms = due(table, 0);
                timers.push(Reverse((*timer_ms, slot)));
            }
        }
        self.timers = timers.into();
    }
}

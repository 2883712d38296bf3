//! Session windows. A session grows with the events of an entity, and ends after a gap without events of the entity.
//!
//! A timer comes due at a certain watermark; then the shard checks whether a session of the entity fires.
//! Owns: merging sessions, and the timers. Does not own: the arithmetic of accumulators, the watermark.
//! Invariants: (1) The sessions of an entity are sorted by time, and neither overlap nor touch (window rule 5). (2) A
//! stored session is removed when the watermark reaches its last millisecond and the allowed lateness has passed. So an
//! event that joins a stored session is never late. (3) An entity with sessions has exactly one valid timer, due no later
//! than the next session to fire or to remove. Replaced timers stay in the
//! queue and are ignored. (4) Sessions fire in the order of their ends. Sessions with the same end fire in the order of
//! their slots, no matter in which order their timers were set. (5) A stored session has fired exactly if the watermark
//! has reached its last millisecond. So the state need not record which sessions have fired.
//! Why one timer per entity: an event usually moves the end of its session. With a timer per session, every event would
//! cost two operations on the queue of timers. Instead, the timer of an entity stays in the queue when an event moves
//! the end of a session. If the timer comes due before the new end, it is set again. An active entity thus costs about
//! one queue operation per gap length of event time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use thin_vec::ThinVec;

use crate::aggregate::FeatureAggregators;
use crate::entity_accumulators::{EntityAccumulators, PaneOrSessionSpan};
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::late_firing::{JoinOutcome, LateJoin};
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader, write_signed, write_unsigned};
use crate::snapshot::entry_migration::EntryMigration;
use crate::snapshot::slots::{HasDerivedState, RestorePermit, SlotRecordBlock, SlotState, SlotTable};
use crate::time::{EventTime, Window};

/// The value of [`EntitySessions::timer_due_ms`] while the entity has no timer.
const NO_TIMER: i64 = i64::MAX;

/// The state of one session view in one shard.
#[derive(Debug)]
pub(crate) struct SessionViewState {
    gap_ms: i64,
    allowed_lateness_ms: i64,
    pub(crate) sessions_by_slot: SlotTable<EntitySessions>,
    timers_by_due_time: BinaryHeap<Reverse<(i64, EntitySlot)>>,
    entity_count: usize,
    /// The windows of sessions that have fired, and that the current event has extended or merged.
    replaced_windows_buffer: Vec<Window>,
}

#[derive(Debug)]
pub(crate) struct EntitySessions {
    /// One entry per session. The span of an entry is the first and the last event time of the session.
    session_entries: EntityAccumulators,
    /// The windows that are no sessions any more, although they have fired: late events have extended or merged them into
    /// a session that has not fired since. Sorted. Older windows may be left over, in front of all sessions that have not
    /// fired.
    replaced_windows: ThinVec<Window>,
    /// The watermark, in epoch milliseconds, at which the timer of the entity comes due, or [`NO_TIMER`].
    timer_due_ms: i64,
}

impl Default for EntitySessions {
    fn default() -> Self {
        Self {
            session_entries: EntityAccumulators::default(),
            replaced_windows: ThinVec::new(),
            timer_due_ms: NO_TIMER,
        }
    }
}

impl SlotState for EntitySessions {
    type EncodingContext = FeatureAggregators;

    fn is_empty(&self) -> bool {
        self.session_entries.is_empty()
    }

    fn remove_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize) {
        self.session_entries.remove_entries(aggregators, 0, count);
        if self.is_empty() {
            self.replaced_windows = ThinVec::new();
        }
    }

    fn move_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize, expired: &mut Self) {
        self.session_entries.move_oldest_entries(aggregators, count, &mut expired.session_entries);
        if self.is_empty() {
            expired.replaced_windows = std::mem::take(&mut self.replaced_windows);
        }
    }

    fn save(&self, expired: Option<&Self>, aggregators: &FeatureAggregators, out: &mut Vec<u8>) {
        let replaced_windows = expired.into_iter().chain([self]).flat_map(|sessions| &sessions.replaced_windows);
        let replaced_count = replaced_windows.clone().count();
        if replaced_count > 0 {
            // No saved slot has 0 sessions. So 0 says that replaced windows come before the sessions.
            write_unsigned(out, 0);
            write_unsigned(out, replaced_count as u64);
            for Window { start, end } in replaced_windows {
                write_signed(out, start.ms());
                write_signed(out, end.ms() - start.ms());
            }
        }
        let expired = expired.map(|expired| &expired.session_entries);
        EntityAccumulators::save_consecutive(expired, &self.session_entries, aggregators, out);
    }
}

/// The end, in epoch milliseconds, of a window of a session, in either direction of 1970. A restore rejects others as
/// damaged.
const MAX_WINDOW_BOUND_MS: i64 = 2 * EventTime::EARLIEST.ms().abs();

impl EntitySessions {
    /// Reads the sessions of a slot that [`SlotState::save`] wrote. `migration` is `None` if the saved view has the same
    /// definition.
    fn load(
        aggregators: &FeatureAggregators,
        migration: Option<&EntryMigration>,
        reader: &mut SnapshotReader<'_>,
    ) -> Result<Self, DamagedSnapshot> {
        let session_entries = EntityAccumulators::load(aggregators, migration, reader)?;
        if !session_entries.is_empty() {
            return Ok(Self { session_entries, ..Self::default() });
        }
        let mut replaced_windows = ThinVec::new();
        for _ in 0..reader.read_unsigned()? {
            let start = reader.read_signed()?;
            let end = start.wrapping_add(reader.read_signed()?);
            if [start, end].iter().any(|bound| bound.checked_abs().is_none_or(|bound| bound > MAX_WINDOW_BOUND_MS)) {
                return Err(DamagedSnapshot("a replaced session outside the range of event times"));
            }
            let window = Window { start: EventTime::from_ms(start), end: EventTime::from_ms(end) };
            if replaced_windows.last().is_some_and(|before| *before >= window) {
                return Err(DamagedSnapshot("replaced sessions that are not in time order"));
            }
            replaced_windows.push(window);
        }
        let session_entries = EntityAccumulators::load(aggregators, migration, reader)?;
        Ok(Self { session_entries, replaced_windows, ..Self::default() })
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
    pub(crate) fn new(gap_ms: i64, allowed_lateness_ms: i64) -> Self {
        Self {
            gap_ms,
            allowed_lateness_ms,
            sessions_by_slot: SlotTable::default(),
            timers_by_due_time: BinaryHeap::new(),
            entity_count: 0,
            replaced_windows_buffer: Vec::new(),
        }
    }

    /// Folds `event` into the session that contains it, or into a new session. If the event closes the gap between two
    /// sessions, merges them. Changes no session if the event is late for this view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> JoinOutcome {
        let (time, gap_ms, lateness_ms) = (event.time.ms(), self.gap_ms, self.allowed_lateness_ms);
        self.sessions_by_slot.grow_to_include(slot);
        let EntitySessions { session_entries: table, replaced_windows, timer_due_ms: timer_ms } =
            self.sessions_by_slot.open_for_change(slot, aggregators);
        // The entries `from..to` are the sessions that overlap or touch the range [time, time + gap_ms) of the new
        // event. Together with the event, they become one session.
        let to = table.find_first_entry_from(aggregators, time.saturating_add(gap_ms).saturating_add(1));
        let mut from = to;
        while from > 0 && table.entry_span(aggregators, from - 1).span_end + gap_ms >= time {
            from -= 1;
        }
        if from == to {
            if is_late_session_end(time + gap_ms, lateness_ms, watermark) {
                return JoinOutcome::Late;
            }
            if table.is_empty() {
                entities.add_view_to_slot(slot);
                self.entity_count += 1;
            }
            table.insert_entry(aggregators, from, PaneOrSessionSpan { span_start: time, span_end: time });
        } else {
            if lateness_ms > 0 {
                let fired = (from..to).map(|entry| session_window(table.entry_span(aggregators, entry), gap_ms));
                self.replaced_windows_buffer.extend(fired.filter(|window| window.last_ms() <= watermark));
                if !self.replaced_windows_buffer.is_empty() {
                    let first_open = first_open_session_start(aggregators, table, gap_ms, watermark);
                    replaced_windows.retain(|replaced| replaced.start >= first_open);
                }
            }
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
        let window = session_window(table.entry_span(aggregators, from), gap_ms);
        let has_ended = lateness_ms > 0 && window.last_ms() <= watermark;
        let due = window.last_ms().ms() + if has_ended { lateness_ms } else { 0 };
        if due < *timer_ms {
            *timer_ms = due;
            self.timers_by_due_time.push(Reverse((due, slot)));
        }
        if has_ended {
            return JoinOutcome::JoinedAfterWatermark;
        }
        if lateness_ms > 0 && !self.replaced_windows_buffer.is_empty() {
            replaced_windows.extend(self.replaced_windows_buffer.drain(..));
            replaced_windows.sort_unstable();
        }
        JoinOutcome::JoinedOpenWindows
    }

    /// Fires the session that a late event has joined after the session's end.
    pub(crate) fn fire_again(
        &mut self,
        aggregators: &FeatureAggregators,
        late_join: &LateJoin<'_>,
        out: &mut impl ShardOutput,
    ) {
        let LateJoin { view_id, entity_key, slot, event_time, watermark } = *late_join;
        let gap_ms = self.gap_ms;
        let EntitySessions { session_entries: table, replaced_windows, .. } = &self.sessions_by_slot[slot];
        let window_at = |entry| session_window(table.entry_span(aggregators, entry), gap_ms);
        let has_fired = |entry| entry < table.entry_count(aggregators) && window_at(entry).last_ms() <= watermark;
        let after = table.find_first_entry_from(aggregators, event_time.ms() + 1);
        if let Some(entry) = after.checked_sub(1) {
            let window = window_at(entry);
            self.replaced_windows_buffer.retain(|replaced| *replaced != window);
            out.emit_row(Row {
                view_id,
                entity_key,
                window,
                row_number: 0,
                superseded_windows: &self.replaced_windows_buffer,
                is_empty_window: false,
                has_newer_row: has_fired(after) || replaced_windows.last().is_some_and(|last| last.end > window.end),
                feature_aggregators: aggregators,
                accumulators: table.entry_accumulators(aggregators, entry),
            });
        }
        self.replaced_windows_buffer.clear();
    }

    /// Returns whether an event at `time` that joins no session is late at `watermark`.
    pub(crate) fn is_late_at(&self, time: EventTime, watermark: EventTime) -> bool {
        is_late_session_end(time.ms() + self.gap_ms, self.allowed_lateness_ms, watermark)
    }

    /// Returns the watermark at which the next timer comes due, or the largest possible time if no timer is set.
    pub(crate) fn next_due_watermark(&self) -> EventTime {
        EventTime::from_ms(self.timers_by_due_time.peek().map_or(i64::MAX, |Reverse((due, _))| *due))
    }

    /// Fires every session whose last millisecond the watermark has reached. Removes the sessions that no late event may
    /// join any more.
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
            let EntitySessions { session_entries: table, replaced_windows, timer_due_ms: timer_ms } =
                &self.sessions_by_slot[slot];
            if *timer_ms != due {
                continue; // another timer has replaced this one
            }
            // Without allowed lateness, all stored sessions end later than the timers that came due before.
            let entry = if self.allowed_lateness_ms == 0 {
                Some(0)
            } else {
                find_first_session_ending_from(aggregators, table, self.gap_ms, due)
            };
            if let Some(entry) = entry
                && let window = session_window(table.entry_span(aggregators, entry), self.gap_ms)
                && window.last_ms().ms() == due
            {
                let (key, accumulators) = (entities.entity_key(slot), table.entry_accumulators(aggregators, entry));
                out.emit_row(Row {
                    view_id: view,
                    entity_key: key,
                    window,
                    row_number: 0,
                    superseded_windows: replaced_windows_within(replaced_windows, window),
                    is_empty_window: false,
                    has_newer_row: false,
                    feature_aggregators: aggregators,
                    accumulators,
                });
            }
            let oldest = session_window(table.entry_span(aggregators, 0), self.gap_ms);
            if oldest.last_ms().ms() + self.allowed_lateness_ms <= due {
                self.sessions_by_slot.expire_oldest_entries(slot, aggregators, 1);
            }
            let table = &self.sessions_by_slot[slot].session_entries;
            let next_due = if self.allowed_lateness_ms == 0 {
                let next = (!table.is_empty()).then(|| table.entry_span(aggregators, 0));
                next.map(|span| span.span_end + self.gap_ms - 1)
            } else {
                self.find_next_due_ms(aggregators, table, due)
            };
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

    /// Returns the watermark, in epoch milliseconds, at which the next session of an entity fires or is removed; `None` if
    /// the entity has no session. The sessions whose last millisecond is at or before `fired_ms` have fired.
    fn find_next_due_ms(
        &self,
        aggregators: &FeatureAggregators,
        table: &EntityAccumulators,
        fired_ms: i64,
    ) -> Option<i64> {
        let last_ms = |entry| session_window(table.entry_span(aggregators, entry), self.gap_ms).last_ms().ms();
        if table.is_empty() {
            return None;
        }
        let open = find_first_session_ending_from(aggregators, table, self.gap_ms, fired_ms.saturating_add(1));
        let firing_ms = open.map_or(i64::MAX, last_ms);
        Some(firing_ms.min(last_ms(0) + self.allowed_lateness_ms))
    }

    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    /// Loads the sessions from one block of a snapshot, during a restore. `migration` is `None` if the saved view has the
    /// same definition.
    pub(crate) fn load_sessions(
        &mut self,
        aggregators: &FeatureAggregators,
        migration: Option<&EntryMigration>,
        records: SlotRecordBlock<'_>,
    ) -> Result<(), DamagedSnapshot> {
        self.sessions_by_slot.load_slot_block(records, |_, reader| EntitySessions::load(aggregators, migration, reader))
    }

    /// Returns the start of the earliest session, or `None` if there is none.
    pub(crate) fn earliest_session_start(&self, aggregators: &FeatureAggregators) -> Option<EventTime> {
        let slots = (0..self.sessions_by_slot.len()).map(EntitySlot::from_index);
        let sessions = slots.map(|slot| &self.sessions_by_slot[slot].session_entries);
        let starts = sessions.filter(|sessions| !sessions.is_empty());
        starts.map(|sessions| EventTime::from_ms(sessions.entry_span(aggregators, 0).span_start)).min()
    }

    /// Ends a restore. Drops the sessions that no event could join any more when the newest loaded snapshot began. Sets one
    /// timer for each entity that still has sessions.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let mut timers = Vec::new();
        let mut sessions_by_slot = std::mem::take(&mut self.sessions_by_slot);
        for (slot, sessions) in sessions_by_slot.iter_restored_slots(permit) {
            let EntitySessions { session_entries: table, replaced_windows, timer_due_ms: timer_ms } = sessions;
            if table.is_empty() {
                *replaced_windows = ThinVec::new();
                continue;
            }
            let entries = 0..table.entry_count(aggregators);
            let last_ms = |entry| session_window(table.entry_span(aggregators, entry), self.gap_ms).last_ms().ms();
            let passed =
                entries.take_while(|&entry| last_ms(entry) + self.allowed_lateness_ms <= watermark.ms()).count();
            table.remove_entries(aggregators, 0, passed);
            let first_open = first_open_session_start(aggregators, table, self.gap_ms, watermark);
            replaced_windows.retain(|replaced| replaced.start >= first_open);
            if let Some(due) = self.find_next_due_ms(aggregators, table, watermark.ms()) {
                entities.add_view_to_restored_slot(slot);
                self.entity_count += 1;
                *timer_ms = due;
                timers.push(Reverse((due, slot)));
            }
        }
        self.sessions_by_slot = sessions_by_slot;
        self.timers_by_due_time = timers.into();
    }
}

fn session_window(span: PaneOrSessionSpan, gap_ms: i64) -> Window {
    Window { start: EventTime::from_ms(span.span_start), end: EventTime::from_ms(span.span_end + gap_ms) }
}

/// Returns those of the sorted `replaced_windows` that begin within `window`.
fn replaced_windows_within(replaced_windows: &[Window], window: Window) -> &[Window] {
    if replaced_windows.is_empty() {
        return &[];
    }
    let from = replaced_windows.partition_point(|replaced| replaced.start < window.start);
    let to = replaced_windows.partition_point(|replaced| replaced.start < window.end);
    &replaced_windows[from..to]
}

/// Returns the position of the first session whose last millisecond is `last_ms` or later; `None` if there is none.
fn find_first_session_ending_from(
    aggregators: &FeatureAggregators,
    table: &EntityAccumulators,
    gap_ms: i64,
    last_ms: i64,
) -> Option<usize> {
    let ends_late_enough =
        |entry: &usize| session_window(table.entry_span(aggregators, *entry), gap_ms).last_ms().ms() >= last_ms;
    (0..table.entry_count(aggregators)).find(ends_late_enough)
}

/// Returns the start of the first session that has not fired, or the latest possible time if all have.
fn first_open_session_start(
    aggregators: &FeatureAggregators,
    table: &EntityAccumulators,
    gap_ms: i64,
    watermark: EventTime,
) -> EventTime {
    let open = find_first_session_ending_from(aggregators, table, gap_ms, watermark.ms().saturating_add(1));
    EventTime::from_ms(open.map_or(i64::MAX, |entry| table.entry_span(aggregators, entry).span_start))
}

/// Returns whether an event is late that belongs to a session with the end `end_ms` (window rules 4 and 15).
const fn is_late_session_end(end_ms: i64, allowed_lateness_ms: i64, watermark: EventTime) -> bool {
    end_ms - 1 + allowed_lateness_ms <= watermark.ms()
}

//! The shard: the state machine of one partition.
//!
//! Owns: the watermark of one partition, and the state of all views for the entities of the partition. Does not own:
//! offsets, records, emitted rows, or any time other than event time.
//! Invariants: (1) Events are processed one by one. The windows that fire after an event fire before the next event is
//! processed (window rule 3). (2) The same events in the same order give the same rows in the same order, in every run.
//! After a crash: [`crate::ShardRestore`] restores the shard from the stored snapshots. Then the shard again processes
//! every event that arrived after the newest of these snapshots had begun.

use crate::aggregate::FeatureAggregators;
use crate::entity_table::{EntityTable, SipHashKey};
use crate::event::{Event, EventSchema};
use crate::late_firing::{JoinOutcome, LateJoin};
use crate::row::{FeatureOverflow, LateEvent, LatenessCause, Row, ShardOutput, ViewId};
use crate::session::SessionViewState;
use crate::sliding::SlidingViewState;
use crate::snapshot::encoding::DamagedSnapshot;
use crate::snapshot::entry_migration::EntryMigration;
use crate::snapshot::format::{
    BaseOrDelta, ENTITY_KEY_TABLE_NUMBER, ShardMetadata, SnapshotStorageOutcome, view_table_number,
};
use crate::snapshot::slots::{RestorePermit, SlotRecordBlock};
use crate::time::EventTime;
use crate::view::{FeatureView, WindowKind};
use crate::watermark::Watermark;

/// The state of one partition.
#[derive(Debug)]
pub struct Shard {
    pub(crate) watermark: Watermark,
    pub(crate) entity_table: EntityTable,
    pub(crate) views: Vec<ViewState>,
}

#[derive(Debug)]
pub(crate) struct ViewState {
    aggregators: FeatureAggregators,
    windows: WindowState,
    /// The number of rows that the view has emitted, without the rows of [`Shard::finish_input`], which have the number
    /// 0.
    emitted_row_count: u64,
}

#[derive(Debug)]
enum WindowState {
    Sliding(SlidingViewState),
    Session(SessionViewState),
}

impl Shard {
    /// Creates an empty shard that computes `views`. Its events have the fields of `schema`. The watermark stays
    /// `max_out_of_orderness_ms` + 1 ms behind the latest event time (window rule 2). The shard hashes entity keys with
    /// `hash_key`.
    #[must_use]
    pub fn new<'a>(
        views: impl IntoIterator<Item = &'a FeatureView>,
        schema: &EventSchema,
        max_out_of_orderness_ms: i64,
        hash_key: SipHashKey,
    ) -> Self {
        let views = views
            .into_iter()
            .map(|view| {
                let aggregators = FeatureAggregators::new(&view.features, schema);
                let windows = match view.window {
                    WindowKind::Sliding { size_ms, slide_ms } => {
                        WindowState::Sliding(SlidingViewState::new(size_ms, slide_ms, view, &aggregators))
                    }
                    WindowKind::Session { gap_ms } => {
                        WindowState::Session(SessionViewState::new(gap_ms, view.allowed_lateness_ms))
                    }
                };
                ViewState { aggregators, windows, emitted_row_count: 0 }
            })
            .collect();
        Self { watermark: Watermark::new(max_out_of_orderness_ms), entity_table: EntityTable::new(hash_key), views }
    }

    /// Adds one event to the windows that contain its event time. Fires those of them again that have fired before. Then
    /// advances the watermark, and fires every window whose last millisecond the watermark has reached.
    pub fn process_event(&mut self, event: &Event<'_>, out: &mut impl ShardOutput) {
        let slot = self.entity_table.find_or_assign_slot(event.entity_key);
        let (watermark, watermark_by_events) = (self.watermark.time(), self.watermark.time_by_events());
        for (index, view) in self.views.iter_mut().enumerate() {
            let (aggregators, entities) = (&view.aggregators, &mut self.entity_table);
            let (view_id, entity_key) = (ViewId(index), event.entity_key);
            let outcome = match &mut view.windows {
                WindowState::Sliding(state) => state.add_event(aggregators, entities, slot, event, watermark),
                WindowState::Session(state) => state.add_event(aggregators, entities, slot, event, watermark),
            };
            match outcome {
                JoinOutcome::JoinedOpenWindows => {}
                JoinOutcome::JoinedAfterWatermark => {
                    view.fire_again(&LateJoin { view_id, entity_key, slot, event_time: event.time, watermark }, out);
                }
                JoinOutcome::Late => {
                    let is_late_by_events = view.windows.is_late_at(event.time, watermark_by_events);
                    let cause =
                        if is_late_by_events { LatenessCause::LaterEvents } else { LatenessCause::IdlePartition };
                    out.emit_late_event(LateEvent { view_id, entity_key, event_time: event.time, cause });
                }
            }
        }
        self.entity_table.release_slot_if_unused(slot);
        self.watermark.advance_by_event_time(event.time);
        self.fire_due_windows(out);
    }

    /// Advances the watermark to `time` without an event, because the partition is idle (window rule 17). Then fires every
    /// window whose last millisecond the watermark has reached. Does nothing if the watermark is already there.
    ///
    /// The rows depend on `time`, which is not in the log. A caller that processes the events again must repeat the call
    /// with the same time after the same event. Of several calls between two events, the last is enough: the rows of each
    /// view, their order and their numbers are the same.
    pub fn advance_watermark(&mut self, time: EventTime, out: &mut impl ShardOutput) {
        self.watermark.advance_to(time);
        self.fire_due_windows(out);
    }

    /// Ends bounded input: moves the watermark past all event times and fires all remaining windows (window rule 6).
    pub fn finish_input(&mut self, out: &mut impl ShardOutput) {
        self.watermark.advance_to_end();
        let counted: Vec<u64> = self.views.iter().map(|view| view.emitted_row_count).collect();
        self.fire_due_windows(&mut UnnumberedOutput(out));
        self.views.iter_mut().zip(counted).for_each(|(view, rows)| view.emitted_row_count = rows);
    }

    /// Resets the watermark after [`Self::finish_input`], so that the shard can process new input. The row numbers
    /// continue. The next snapshot must be a base. A delta does not record the state that [`Self::finish_input`]
    /// removed, so a restore from a delta would bring the removed state back.
    pub fn reset_watermark_after_input_end(&mut self) {
        self.watermark.set_time(Watermark::BEFORE_ALL_EVENTS, Watermark::BEFORE_ALL_EVENTS);
    }

    /// Returns the watermark, or `None` before the first event.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        (self.watermark.time() != Watermark::BEFORE_ALL_EVENTS).then_some(self.watermark.time())
    }

    /// Returns what the watermark would be if only events had advanced it, or `None` before the first event.
    #[must_use]
    pub fn watermark_by_events(&self) -> Option<EventTime> {
        let time = self.watermark.time_by_events();
        (time != Watermark::BEFORE_ALL_EVENTS).then_some(time)
    }

    /// Returns the number of entities with state in at least one view.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entity_table.len()
    }

    /// Returns, for each view, the number of entities with state in the view.
    pub fn entity_counts_by_view(&self) -> impl Iterator<Item = usize> {
        self.views.iter().map(|view| match &view.windows {
            WindowState::Sliding(state) => state.entity_count(),
            WindowState::Session(state) => state.entity_count(),
        })
    }

    /// Returns the start of the earliest session in the view with the index `view_index`. Returns `None` if the view has no
    /// session, or no session windows. The call visits all entities.
    #[must_use]
    pub fn earliest_session_start(&self, view_index: usize) -> Option<EventTime> {
        let view = self.views.get(view_index)?;
        match &view.windows {
            WindowState::Sliding(_) => None,
            WindowState::Session(state) => state.earliest_session_start(&view.aggregators),
        }
    }

    /// Returns the features whose sums have overflowed since the last call: sums of longs beyond 64 bits, which wrap
    /// around, and sums of doubles that became infinite. The counts are not part of the state.
    pub fn take_overflow_counts(&mut self) -> impl Iterator<Item = FeatureOverflow> {
        self.views.iter_mut().enumerate().flat_map(|(index, view)| {
            let counts = view.aggregators.take_overflow_counts().enumerate();
            counts.filter(|(_, overflow_count)| *overflow_count > 0).map(move |(feature_index, overflow_count)| {
                FeatureOverflow { view_id: ViewId(index), feature_index, overflow_count }
            })
        })
    }

    /// Returns the state that is not stored in slots, such as the watermark. The caller stores this metadata together
    /// with the snapshot that begins at the same moment.
    #[must_use]
    pub fn snapshot_metadata(&self) -> ShardMetadata {
        #[expect(clippy::cast_possible_truncation, reason = "slot indexes have 32 bits")]
        ShardMetadata {
            watermark: self.watermark(),
            watermark_by_events: self.watermark_by_events(),
            slot_count: self.entity_table.entities_by_slot.len() as u32,
            entity_count: self.entity_count(),
            emitted_row_counts: self.views.iter().map(|view| view.emitted_row_count).collect(),
        }
    }

    /// Begins a snapshot of the slots in their current state. A delta omits the slots that no event has changed since
    /// the previous snapshot. Discards a previous snapshot that is still running. The state outside the slots is not
    /// part of the snapshot: see [`Self::snapshot_metadata`].
    pub fn begin_snapshot(&mut self, base_or_delta: BaseOrDelta) {
        self.end_snapshot(SnapshotStorageOutcome::Discarded);
        self.entity_table.entities_by_slot.begin_snapshot(base_or_delta);
        for view in &mut self.views {
            match &mut view.windows {
                WindowState::Sliding(state) => state.panes_by_slot.begin_snapshot(base_or_delta),
                WindowState::Session(state) => state.sessions_by_slot.begin_snapshot(base_or_delta),
            }
        }
    }

    /// Saves slots to the running snapshot, and appends about `limit` saved bytes to `out`. Exceeds the limit by at most
    /// one block or slot. The slots that events have changed come first. Returns `true` when all slots are saved and
    /// appended.
    pub fn continue_snapshot(&mut self, limit: usize, out: &mut Vec<u8>) -> bool {
        let full_length = out.len().saturating_add(limit);
        let entities = &mut self.entity_table.entities_by_slot;
        entities.take_saved_blocks(ENTITY_KEY_TABLE_NUMBER, full_length, out);
        for (index, view) in self.views.iter_mut().enumerate() {
            let table = view_table_number(index);
            match &mut view.windows {
                WindowState::Sliding(state) => state.panes_by_slot.take_saved_blocks(table, full_length, out),
                WindowState::Session(state) => state.sessions_by_slot.take_saved_blocks(table, full_length, out),
            }
        }
        entities.continue_snapshot(ENTITY_KEY_TABLE_NUMBER, &(), full_length, out)
            && self
                .views
                .iter_mut()
                .enumerate()
                .all(|(index, view)| view.continue_snapshot(view_table_number(index), full_length, out))
    }

    /// Returns the number of saved bytes that [`Self::continue_snapshot`] has not appended yet.
    #[cfg(test)]
    pub(crate) fn buffered_snapshot_byte_count(&self) -> usize {
        let views = self.views.iter().map(|view| match &view.windows {
            WindowState::Sliding(state) => state.panes_by_slot.buffered_byte_count(),
            WindowState::Session(state) => state.sessions_by_slot.buffered_byte_count(),
        });
        views.sum::<usize>() + self.entity_table.entities_by_slot.buffered_byte_count()
    }

    /// Ends the running snapshot, even if some slots are not saved yet. `result` says whether the caller has stored the
    /// bytes of the snapshot.
    pub fn end_snapshot(&mut self, result: SnapshotStorageOutcome) {
        self.entity_table.entities_by_slot.end_snapshot(result);
        for view in &mut self.views {
            match &mut view.windows {
                WindowState::Sliding(state) => state.panes_by_slot.end_snapshot(result),
                WindowState::Session(state) => state.sessions_by_slot.end_snapshot(result),
            }
        }
    }

    fn fire_due_windows(&mut self, out: &mut impl ShardOutput) {
        let watermark = self.watermark.time();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (aggregators, entities) = (&view.aggregators, &mut self.entity_table);
            let out = &mut RowNumberingOutput { wrapped_output: out, emitted_row_count: &mut view.emitted_row_count };
            match &mut view.windows {
                WindowState::Sliding(state) if state.next_due_watermark() <= watermark => {
                    state.fire_due_windows(ViewId(index), aggregators, entities, watermark, out);
                }
                WindowState::Session(state) if state.next_due_watermark() <= watermark => {
                    state.fire_due_sessions(ViewId(index), aggregators, entities, watermark, out);
                }
                WindowState::Sliding(_) | WindowState::Session(_) => {}
            }
        }
    }
}

impl WindowState {
    /// Returns whether an event at `time` is late at `watermark`, if it joins no session.
    fn is_late_at(&self, time: EventTime, watermark: EventTime) -> bool {
        match self {
            Self::Sliding(state) => state.is_late_at(time, watermark),
            Self::Session(state) => state.is_late_at(time, watermark),
        }
    }
}

impl ViewState {
    /// Fires the windows that a late event has joined after they had fired.
    #[cold]
    fn fire_again(&mut self, late_join: &LateJoin<'_>, out: &mut impl ShardOutput) {
        let out = &mut RowNumberingOutput { wrapped_output: out, emitted_row_count: &mut self.emitted_row_count };
        match &mut self.windows {
            WindowState::Sliding(state) => state.fire_again(&self.aggregators, late_join, out),
            WindowState::Session(state) => state.fire_again(&self.aggregators, late_join, out),
        }
    }

    /// Saves slots of the view, as [`crate::snapshot::slots::SlotTable::continue_snapshot`] does.
    fn continue_snapshot(&mut self, table: u64, full_length: usize, out: &mut Vec<u8>) -> bool {
        let aggregators = &self.aggregators;
        match &mut self.windows {
            WindowState::Sliding(state) => state.panes_by_slot.continue_snapshot(table, aggregators, full_length, out),
            WindowState::Session(state) => {
                state.sessions_by_slot.continue_snapshot(table, aggregators, full_length, out)
            }
        }
    }

    pub(crate) fn aggregators(&self) -> &FeatureAggregators {
        &self.aggregators
    }

    /// Loads the state of the view from one block of a snapshot, during a restore. `migration` is `None` if the saved view
    /// has the same definition.
    pub(crate) fn load_slot_records(
        &mut self,
        migration: Option<&EntryMigration>,
        records: SlotRecordBlock<'_>,
    ) -> Result<(), DamagedSnapshot> {
        match &mut self.windows {
            WindowState::Sliding(state) => state.load_panes(&self.aggregators, migration, records),
            WindowState::Session(state) => state.load_sessions(&self.aggregators, migration, records),
        }
    }

    /// Ends the restore of the view, after all of its blocks have been loaded.
    pub(crate) fn finish_restore(
        &mut self,
        entities: &mut EntityTable,
        emitted_rows: u64,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        self.emitted_row_count = emitted_rows;
        match &mut self.windows {
            WindowState::Sliding(state) => state.finish_restore(&self.aggregators, entities, watermark, permit),
            WindowState::Session(state) => state.finish_restore(&self.aggregators, entities, watermark, permit),
        }
    }
}

/// Forwards the rows and late events of one view, and numbers the rows.
struct RowNumberingOutput<'a, O> {
    wrapped_output: &'a mut O,
    emitted_row_count: &'a mut u64,
}

impl<O: ShardOutput> ShardOutput for RowNumberingOutput<'_, O> {
    fn emit_row(&mut self, row: Row<'_>) {
        *self.emitted_row_count += 1;
        self.wrapped_output.emit_row(Row { row_number: *self.emitted_row_count, ..row });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.wrapped_output.emit_late_event(late);
    }
}

/// Forwards rows and late events, and gives every row the number 0. [`Shard::finish_input`] uses this output for the
/// windows that fire only because bounded input has ended.
struct UnnumberedOutput<'a, O>(&'a mut O);

impl<O: ShardOutput> ShardOutput for UnnumberedOutput<'_, O> {
    fn emit_row(&mut self, row: Row<'_>) {
        self.0.emit_row(Row { row_number: 0, ..row });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.0.emit_late_event(late);
    }
}

#[cfg(test)]
mod tests;

//! Sliding and tumbling windows over panes.
//!
//! Owns: the panes, the watermark at which each window fires, and the removal of panes. Does not own: the arithmetic of
//! accumulators, the watermark.
//! Invariants: (1) An event changes exactly one pane. (2) A pane is kept until its last window has fired and the allowed
//! lateness has passed. So an event that is late for its first windows still counts in its later windows. Panes that are
//! not needed any more are removed together when they are an eighth of the entity's panes, because each removal moves the
//! others. (3) Windows fire in the order of their ends, and only for entities that have a pane in the window. If the view
//! wants it, the first window without a pane after others fires too; panes are kept until then. The windows
//! that fire again because of an event fire in this order too, before the others.
//! Why panes: in Flink's DataStream API, an event changes every window that contains it, so the cost of an event grows
//! with size divided by slide. Here, an event changes one pane, which overlapping windows share. The length of a pane
//! is the greatest common divisor of size and slide. A window that fires merges its panes one by one if the entity has
//! few of them. Otherwise windows share merges of many panes ([`crate::merged_panes`]).

use std::collections::BTreeMap;
use std::ops::Range;

use fixedbitset::FixedBitSet;

use crate::aggregate::{EntryAccumulators, EntryAccumulatorsMut, FeatureAggregators, VariableAccumulator};
use crate::entity_accumulators::{EntityAccumulators, PaneOrSessionSpan};
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::late_firing::{JoinOutcome, LateJoin};
use crate::merged_panes::{MergedPanes, WindowPanes};
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::DamagedSnapshot;
use crate::snapshot::entry_migration::EntryMigration;
use crate::snapshot::slots::{RestorePermit, SlotRecordBlock, SlotState, SlotTable};
use crate::time::EventTime;
use crate::view::{EmptyWindowPolicy, FeatureView, MAX_WINDOW_MS};
use crate::watermark::Watermark;
use crate::window_grid::WindowGrid;

/// The largest distance, in milliseconds, between the start of a pane and 1970-01-01T00:00:00Z, in either direction. A
/// restore rejects a pane beyond this limit as damaged, because no valid event belongs to such a pane.
const MAX_PANE_START_MS: i64 = 2 * EventTime::EARLIEST.ms().abs();

/// A watermark, in epoch milliseconds, at which no window of a valid event may take another event.
const MAX_PURGE_WATERMARK_MS: i64 = EventTime::LATEST.ms() + 2 * MAX_WINDOW_MS;

/// The number of panes up to which a window merges the panes of an entity one by one.
const MAX_PANES_MERGED_ONE_BY_ONE: usize = 8;

impl SlotState for EntityAccumulators {
    type EncodingContext = FeatureAggregators;

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn remove_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize) {
        self.remove_entries(aggregators, 0, count);
    }

    fn move_oldest_entries(&mut self, aggregators: &FeatureAggregators, count: usize, expired: &mut Self) {
        self.move_oldest_entries(aggregators, count, expired);
    }

    fn save(&self, expired: Option<&Self>, aggregators: &FeatureAggregators, out: &mut Vec<u8>) {
        Self::save_consecutive(expired, self, aggregators, out);
    }
}

/// The state of one sliding view in one shard.
#[derive(Debug)]
pub(crate) struct SlidingViewState {
    window_grid: WindowGrid,
    allowed_lateness_ms: i64,
    /// Whether the first window without events of an entity fires too.
    fires_empty_windows: bool,
    /// How long after the end of its last window a pane is kept, in milliseconds: for late events, or for the first window
    /// without events.
    pane_retention_ms: i64,
    pub(crate) panes_by_slot: SlotTable<EntityAccumulators>,
    /// The slots that have panes. A window that fires visits these alone: a shard may have had many more entities once.
    slots_with_panes: FixedBitSet,
    /// For each pane that is still needed, the number of entities with events in the pane.
    entity_count_by_pane: BTreeMap<i64, u32>,
    /// The end, in epoch milliseconds, of the next window to fire. `None` while no stored pane has such a window.
    next_firing_window_end_ms: Option<i64>,
    /// The watermark, in epoch milliseconds, at which the next window fires or panes are removed after the allowed
    /// lateness. The largest number while no pane is stored.
    next_due_ms: i64,
    /// The merges that windows share, by slot; `None` for a slot that has at most [`MAX_PANES_MERGED_ONE_BY_ONE`] panes in
    /// the last window. The last slots may be missing.
    merged_panes_by_slot: Vec<Option<Box<MergedPanes>>>,
    merge_buffer_words: Vec<u64>,
    merge_buffer_variable: Vec<VariableAccumulator>,
    entity_count: usize,
}

impl SlidingViewState {
    pub(crate) fn new(size_ms: i64, slide_ms: i64, view: &FeatureView, aggregators: &FeatureAggregators) -> Self {
        let fires_empty_windows = view.empty_window_policy != EmptyWindowPolicy::KeepRow;
        let retention_for_empty_window_ms = if fires_empty_windows { slide_ms } else { 0 };
        Self {
            window_grid: WindowGrid::new(size_ms, slide_ms),
            allowed_lateness_ms: view.allowed_lateness_ms,
            fires_empty_windows,
            pane_retention_ms: view.allowed_lateness_ms.max(retention_for_empty_window_ms),
            panes_by_slot: SlotTable::default(),
            slots_with_panes: FixedBitSet::new(),
            entity_count_by_pane: BTreeMap::new(),
            next_firing_window_end_ms: None,
            next_due_ms: i64::MAX,
            merged_panes_by_slot: Vec::new(),
            merge_buffer_words: vec![0; aggregators.fixed_size_word_count()],
            merge_buffer_variable: vec![VariableAccumulator::Empty; aggregators.variable_accumulator_count()],
            entity_count: 0,
        }
    }

    /// Folds `event` into the pane that contains it. Changes nothing if the event is late for this view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> JoinOutcome {
        let lateness_ms = self.allowed_lateness_ms;
        if self.is_late_at(event.time, watermark) {
            return JoinOutcome::Late;
        }
        let pane = self.window_grid.pane_index_at(event.time.ms());
        if self.window_grid.pane_last_window_end_ms(pane).is_none() {
            return JoinOutcome::JoinedOpenWindows; // no window contains the event, because the slide is longer than the size
        }
        self.panes_by_slot.grow_to_include(slot);
        let panes = self.panes_by_slot.open_for_change(slot, aggregators);
        if panes.is_empty() {
            entities.add_view_to_slot(slot);
            self.slots_with_panes.grow_and_insert(slot.index());
            self.entity_count += 1;
        }
        let entry = panes.find_first_entry_from(aggregators, pane);
        let is_new = !panes.has_entry_at(aggregators, entry, pane);
        if is_new {
            panes.insert_entry(aggregators, entry, PaneOrSessionSpan { span_start: pane, span_end: pane });
        }
        // Stored merges contain only panes of windows that have fired.
        if event.time <= watermark
            && let Some(Some(merged_panes)) = self.merged_panes_by_slot.get_mut(slot.index())
        {
            merged_panes.forget_changed_pane(aggregators, pane);
        }
        aggregators.fold_event(&mut panes.entry_accumulators_mut(aggregators, entry), event);
        if is_new {
            let holders = self.entity_count_by_pane.entry(pane).or_insert(0);
            *holders += 1;
            if *holders == 1 {
                self.plan_next_firing_window(watermark);
            }
        }
        if lateness_ms > 0 && event.time <= watermark {
            JoinOutcome::JoinedAfterWatermark
        } else {
            JoinOutcome::JoinedOpenWindows
        }
    }

    /// Returns whether an event at `time` is late at `watermark`: all windows that contain it have ended, and the allowed
    /// lateness after them. If the slide is longer than the size, no window may contain the event. As in Flink, such an event
    /// counts as late only if the watermark has reached its event time and the allowed lateness after it.
    pub(crate) fn is_late_at(&self, time: EventTime, watermark: EventTime) -> bool {
        let pane = self.window_grid.pane_index_at(time.ms());
        let last_end = self.window_grid.pane_last_window_end_ms(pane);
        last_end.map_or(time.ms(), |last_end| last_end - 1) + self.allowed_lateness_ms <= watermark.ms()
    }

    /// Returns the watermark at which [`Self::fire_due_windows`] has work, or the largest possible time if no pane is
    /// stored.
    pub(crate) fn next_due_watermark(&self) -> EventTime {
        EventTime::from_ms(self.next_due_ms)
    }

    /// Fires the windows that contain a late event and have fired, the oldest first. Windows whose allowed lateness has
    /// passed do not fire again.
    pub(crate) fn fire_again(
        &mut self,
        aggregators: &FeatureAggregators,
        late_join: &LateJoin<'_>,
        out: &mut impl ShardOutput,
    ) {
        let grid = self.window_grid;
        let LateJoin { view_id, entity_key, slot, event_time, watermark } = *late_join;
        let newest_fired_end = self.find_newest_fired_window_end(aggregators, slot, watermark);
        let last_fired_end = grid.next_window_end_ms(watermark.ms() + 1) - grid.slide_ms;
        let pane = grid.pane_index_at(event_time.ms());
        let last_end = grid.pane_last_window_end_ms(pane).unwrap_or(i64::MIN);
        // The window after the last one that contains the event may be empty, and fire too.
        let empty_windows_ms = if self.fires_empty_windows { grid.slide_ms } else { 0 };
        let last_checked_end = (last_end + empty_windows_ms).min(last_fired_end);
        let mut end = grid
            .pane_first_window_end_ms(pane)
            .max(grid.next_window_end_ms(watermark.ms() + 1 - self.allowed_lateness_ms));
        // The stored merges belong to windows that have not fired yet. These windows are older.
        let mut merged_panes = MergedPanes::default();
        while end <= last_checked_end {
            let span = grid.window_panes(end);
            let panes = &self.panes_by_slot[slot];
            let to = panes.find_first_entry_from(aggregators, span.end);
            let from = panes.find_first_entry_within(aggregators, 0..to, span.start);
            let is_empty_window = from == to;
            if is_empty_window || end <= last_end {
                let window_panes = WindowPanes { panes, entries: from..to, window: span };
                let buffers = (&mut *self.merge_buffer_words, &mut *self.merge_buffer_variable);
                let accumulators = merge_window_panes(aggregators, &window_panes, buffers, || &mut merged_panes);
                out.emit_row(Row {
                    view_id,
                    entity_key,
                    window: grid.window_ending_at(end),
                    row_number: 0,
                    superseded_windows: &[],
                    has_newer_row: newest_fired_end > end,
                    is_empty_window,
                    feature_aggregators: aggregators,
                    accumulators,
                });
            }
            end += grid.slide_ms;
        }
    }

    /// Returns the end, in epoch milliseconds, of the newest window of the slot that has fired; the smallest number if
    /// none has.
    fn find_newest_fired_window_end(
        &self,
        aggregators: &FeatureAggregators,
        slot: EntitySlot,
        watermark: EventTime,
    ) -> i64 {
        let grid = self.window_grid;
        let last_fired_end = grid.next_window_end_ms(watermark.ms() + 1) - grid.slide_ms;
        let panes = &self.panes_by_slot[slot];
        let to = panes.find_first_entry_from(aggregators, grid.pane_index_at(last_fired_end));
        let newest = to.checked_sub(1).map(|entry| panes.entry_span(aggregators, entry).span_start);
        let last_end = newest.and_then(|pane| grid.pane_last_window_end_ms(pane));
        let empty_windows_ms = if self.fires_empty_windows { grid.slide_ms } else { 0 };
        last_end.map_or(i64::MIN, |end| (end + empty_windows_ms).min(last_fired_end))
    }

    /// Fires every window whose last millisecond the watermark has reached. Removes the panes that no window needs any
    /// more.
    pub(crate) fn fire_due_windows(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(end) = self.next_firing_window_end_ms
            && end - 1 <= watermark.ms()
        {
            // Bounded input ends without time passing, so nothing leaves a window.
            let fires_empty_windows = self.fires_empty_windows && watermark != Watermark::AFTER_ALL_EVENTS;
            self.fire_window(view, aggregators, entities, FiringWindow { end, fires_empty_windows }, out);
            self.plan_next_firing_window(EventTime::from_ms(end - 1));
        }
        if self.next_due_ms <= watermark.ms() {
            self.remove_retained_panes(aggregators, entities, watermark);
            self.plan_next_firing_window(watermark);
        }
    }

    /// Removes the panes whose last window has fired so long ago that they are not needed any more.
    fn remove_retained_panes(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
    ) {
        let first_kept_pane = self.window_grid.first_pane_with_window_end_after(
            // At the end of bounded input, the watermark is the largest number.
            watermark.ms().min(MAX_PURGE_WATERMARK_MS) - self.pane_retention_ms + 1,
        );
        self.entity_count_by_pane = self.entity_count_by_pane.split_off(&first_kept_pane);
        let mut emptied_slots = Vec::new();
        for slot in self.slots_with_panes.ones().map(EntitySlot::from_index) {
            let panes = self.panes_by_slot.open_for_expiry(slot);
            let unneeded = panes.find_first_entry_from(aggregators, first_kept_pane);
            if is_worth_removing(unneeded, panes.entry_count(aggregators))
                && panes.expire_oldest_entries(aggregators, unneeded).is_empty()
            {
                entities.remove_view_from_slot(slot);
                self.entity_count -= 1;
                if let Some(merged_panes) = self.merged_panes_by_slot.get_mut(slot.index()) {
                    *merged_panes = None;
                }
                emptied_slots.push(slot);
            }
        }
        emptied_slots.iter().for_each(|slot| self.slots_with_panes.remove(slot.index()));
    }

    fn fire_window(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        firing: FiringWindow,
        out: &mut impl ShardOutput,
    ) {
        let FiringWindow { end, fires_empty_windows } = firing;
        let Self {
            window_grid: grid,
            pane_retention_ms,
            panes_by_slot: slots,
            slots_with_panes,
            entity_count_by_pane: pane_holders,
            merged_panes_by_slot,
            merge_buffer_words: merged_words,
            merge_buffer_variable: merged_variable,
            entity_count,
            ..
        } = self;
        let window = grid.window_ending_at(end);
        let Range { start: first_pane, end: end_pane } = grid.window_panes(end);
        let first_pane_of_next_window = grid.pane_index_at(window.start.ms() + grid.slide_ms);
        let mut emptied_slots = Vec::new();
        for slot in slots_with_panes.ones().map(EntitySlot::from_index) {
            let panes = slots.open_for_expiry(slot);
            let to = panes.find_first_entry_from(aggregators, end_pane);
            let from = panes.find_first_entry_within(aggregators, 0..to, first_pane);
            if to - from <= MAX_PANES_MERGED_ONE_BY_ONE
                && let Some(merged_panes) = merged_panes_by_slot.get_mut(slot.index())
            {
                *merged_panes = None;
            }
            let is_empty_window = from == to;
            let previous_window = grid.window_panes(end - grid.slide_ms);
            if !is_empty_window || (fires_empty_windows && has_panes_in(&panes, aggregators, previous_window)) {
                let window_panes = WindowPanes { panes: &panes, entries: from..to, window: first_pane..end_pane };
                let buffers = (&mut **merged_words, &mut **merged_variable);
                let accumulators = merge_window_panes(aggregators, &window_panes, buffers, || {
                    if merged_panes_by_slot.len() <= slot.index() {
                        merged_panes_by_slot.resize_with(slot.index() + 1, || None);
                    }
                    merged_panes_by_slot[slot.index()].get_or_insert_default()
                });
                out.emit_row(Row {
                    view_id: view,
                    entity_key: entities.entity_key(slot),
                    window,
                    row_number: 0,
                    superseded_windows: &[],
                    has_newer_row: false,
                    is_empty_window,
                    feature_aggregators: aggregators,
                    accumulators,
                });
            }
            if *pane_retention_ms > 0 {
                continue; // the panes are removed later
            }
            let kept_from = panes.find_first_entry_within(aggregators, 0..to, first_pane_of_next_window);
            let mut unneeded = kept_from;
            while unneeded > 0 {
                let pane = panes.entry_span(aggregators, unneeded - 1).span_start;
                if grid.pane_last_window_end_ms(pane).is_some_and(|last_end| last_end < end) {
                    break;
                }
                decrement_pane_entity_count(pane_holders, pane);
                unneeded -= 1;
            }
            if is_worth_removing(kept_from, panes.entry_count(aggregators)) {
                let panes = panes.expire_oldest_entries(aggregators, kept_from);
                if panes.is_empty() {
                    entities.remove_view_from_slot(slot);
                    *entity_count -= 1;
                    if let Some(merged_panes) = merged_panes_by_slot.get_mut(slot.index()) {
                        *merged_panes = None;
                    }
                    emptied_slots.push(slot);
                }
            }
        }
        emptied_slots.iter().for_each(|slot| slots_with_panes.remove(slot.index()));
    }

    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    /// Loads the panes from one block of a snapshot, during a restore. `migration` is `None` if the saved view has the same
    /// definition.
    pub(crate) fn load_panes(
        &mut self,
        aggregators: &FeatureAggregators,
        migration: Option<&EntryMigration>,
        records: SlotRecordBlock<'_>,
    ) -> Result<(), DamagedSnapshot> {
        let pane_ms = self.window_grid.pane_length_ms;
        self.panes_by_slot.load_slot_block(records, |_, reader| {
            let panes = EntityAccumulators::load(aggregators, migration, reader)?;
            let is_plausible = |entry| {
                let pane = panes.entry_span(aggregators, entry).span_start;
                pane.checked_mul(pane_ms).is_some_and(|start| start.abs() <= MAX_PANE_START_MS)
            };
            if (0..panes.entry_count(aggregators)).all(is_plausible) {
                Ok(panes)
            } else {
                Err(DamagedSnapshot("a pane outside the range of event times"))
            }
        })
    }

    /// Ends a restore. Drops the panes that no window needed any more when the newest loaded snapshot began. Then finds
    /// the next window to fire.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let (grid, retention_ms) = (self.window_grid, self.pane_retention_ms);
        let has_passed = |pane| {
            grid.pane_last_window_end_ms(pane).is_none_or(|last_end| last_end - 1 + retention_ms <= watermark.ms())
        };
        for (slot, panes) in self.panes_by_slot.iter_restored_slots(permit).filter(|(_, panes)| !panes.is_empty()) {
            let entries = 0..panes.entry_count(aggregators);
            let passed =
                entries.take_while(|&entry| has_passed(panes.entry_span(aggregators, entry).span_start)).count();
            panes.remove_entries(aggregators, 0, passed);
            if !panes.is_empty() {
                entities.add_view_to_restored_slot(slot);
                self.slots_with_panes.grow_and_insert(slot.index());
                self.entity_count += 1;
            }
            for entry in 0..panes.entry_count(aggregators) {
                *self.entity_count_by_pane.entry(panes.entry_span(aggregators, entry).span_start).or_insert(0) += 1;
            }
        }
        self.plan_next_firing_window(watermark);
    }

    /// Finds the next window to fire: the earliest window that contains a stored pane and has not fired yet. Windows
    /// whose last millisecond is at or before `fired` have fired already.
    fn plan_next_firing_window(&mut self, fired: EventTime) {
        let (grid, retention_ms) = (self.window_grid, self.pane_retention_ms);
        let Some((&oldest_pane, _)) = self.entity_count_by_pane.first_key_value() else {
            (self.next_firing_window_end_ms, self.next_due_ms) = (None, i64::MAX);
            return;
        };
        let first = grid.pane_first_window_end_ms(oldest_pane);
        self.next_firing_window_end_ms = if first - 1 > fired.ms() {
            Some(first)
        } else {
            let next = grid.next_window_end_ms(fired.ms() + 1);
            if retention_ms == 0 {
                Some(next)
            } else {
                // All windows of the oldest panes may have fired.
                let first_window = if self.fires_empty_windows { next - grid.slide_ms } else { next };
                let pane = self.entity_count_by_pane.range(grid.window_panes(first_window).start..).next();
                pane.map(|(&pane, _)| grid.pane_first_window_end_ms(pane).max(next))
            }
        };
        self.next_due_ms = self.next_firing_window_end_ms.map_or(i64::MAX, |end| end - 1);
        if retention_ms > 0
            && let Some(last_end) = grid.pane_last_window_end_ms(oldest_pane)
        {
            self.next_due_ms = self.next_due_ms.min(last_end - 1 + retention_ms);
        }
    }
}

/// A window that fires.
#[derive(Clone, Copy, Debug)]
struct FiringWindow {
    /// The end, in epoch milliseconds.
    end: i64,
    /// Whether it also fires for entities whose last event has left it.
    fires_empty_windows: bool,
}

/// Returns whether an entity has a pane with an index in `range`.
fn has_panes_in(panes: &EntityAccumulators, aggregators: &FeatureAggregators, range: Range<i64>) -> bool {
    let entry = panes.find_first_entry_from(aggregators, range.start);
    entry < panes.entry_count(aggregators) && panes.entry_span(aggregators, entry).span_start < range.end
}

/// Merges the panes of a window. A window without panes has the accumulators of no events. `stored_merges` returns the merges that the windows of the entity
/// share; it is called only for a window of many panes.
fn merge_window_panes<'a, 'm>(
    aggregators: &FeatureAggregators,
    window_panes: &WindowPanes<'a>,
    (merged_words, merged_variable): (&'a mut [u64], &'a mut [VariableAccumulator]),
    stored_merges: impl FnOnce() -> &'m mut MergedPanes,
) -> EntryAccumulators<'a> {
    let WindowPanes { panes, entries, .. } = window_panes;
    if entries.len() == 1 {
        return panes.entry_accumulators(aggregators, entries.start);
    }
    merged_words.fill(0);
    merged_variable.fill(VariableAccumulator::Empty);
    let mut merged = EntryAccumulatorsMut { fixed_size_words: merged_words, variable_accumulators: merged_variable };
    if entries.len() <= MAX_PANES_MERGED_ONE_BY_ONE {
        for entry in entries.clone() {
            aggregators.merge_newer_entry(&mut merged, panes.entry_accumulators(aggregators, entry));
        }
    } else {
        stored_merges().merge_window(aggregators, window_panes, &mut merged);
    }
    EntryAccumulators { fixed_size_words: merged_words, variable_accumulators: merged_variable }
}

/// Returns whether `unneeded_count` of `entry_count` panes are enough to remove them. Each removal moves the other panes.
fn is_worth_removing(unneeded_count: usize, entry_count: usize) -> bool {
    unneeded_count > 0 && unneeded_count * 8 >= entry_count
}

/// Subtracts one from the number of entities with events in `pane`. Removes the pane from the map when the number
/// becomes 0.
fn decrement_pane_entity_count(pane_holders: &mut BTreeMap<i64, u32>, pane: i64) {
    if let Some(holders) = pane_holders.get_mut(&pane) {
        *holders -= 1;
        if *holders == 0 {
            pane_holders.remove(&pane);
        }
    }
}

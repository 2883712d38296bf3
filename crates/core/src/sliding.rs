//! Sliding and tumbling windows over panes.
//!
//! Owns: the panes, the watermark at which each window fires, and the removal of panes. Does not own: the arithmetic of
//! accumulators, the watermark.
//! Invariants: (1) An event changes exactly one pane. (2) A pane is kept until its last window has fired. So an event
//! that is late for its first windows still counts in its later windows. Panes that are not needed any more are removed
//! together when they are an eighth of the entity's panes, because each removal moves the others. (3) Windows fire in
//! the order of their ends, and only for entities that have a pane in the window.
//! Why panes: in Flink's DataStream API, an event changes every window that contains it, so the cost of an event grows
//! with size divided by slide. Here, an event changes one pane, which overlapping windows share. The length of a pane
//! is the greatest common divisor of size and slide. A window that fires merges its panes one by one if the entity has
//! few of them. Otherwise windows share merges of many panes ([`crate::merged_panes`]).

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;

use crate::aggregate::{EntryAccumulators, EntryAccumulatorsMut, FeatureAggregators, VariableAccumulator};
use crate::entity_accumulators::{EntityAccumulators, PaneOrSessionSpan};
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::merged_panes::{MergedPanes, WindowPanes};
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader};
use crate::snapshot::slots::{RestorePermit, SlotRecordBlock, SlotState, SlotTable};
use crate::time::{EventTime, Window};
use crate::view::pane_size_ms;

/// The largest distance, in milliseconds, between the start of a pane and 1970-01-01T00:00:00Z, in either direction. A
/// restore rejects a pane beyond this limit as damaged, because no valid event belongs to such a pane.
const MAX_PANE_START_MS: i64 = 2 * EventTime::EARLIEST.ms().abs();

/// The number of panes up to which a window merges the panes of an entity one by one.
const MAX_PANES_MERGED_ONE_BY_ONE: usize = 8;

/// Computes where the windows and panes of a view start and end in event time.
#[derive(Clone, Copy, Debug)]
struct WindowGrid {
    size_ms: i64,
    slide_ms: i64,
    pane_length_ms: i64,
}

impl WindowGrid {
    fn new(size_ms: i64, slide_ms: i64) -> Self {
        Self { size_ms, slide_ms, pane_length_ms: pane_size_ms(size_ms, slide_ms) }
    }

    fn pane_index_at(self, time_ms: i64) -> i64 {
        time_ms.div_euclid(self.pane_length_ms)
    }

    /// Returns the end of the last window that contains the pane with the index `pane`. If the slide is longer than the
    /// size, a pane can lie between two windows. For such a pane, returns `None`.
    fn pane_last_window_end_ms(self, pane: i64) -> Option<i64> {
        let start = (pane * self.pane_length_ms).div_euclid(self.slide_ms) * self.slide_ms;
        let end = start + self.size_ms;
        (pane * self.pane_length_ms < end).then_some(end)
    }

    /// Returns the end of the first window that contains the pane with the index `pane`. At least one window must
    /// contain this pane.
    fn pane_first_window_end_ms(self, pane: i64) -> i64 {
        self.next_window_end_ms((pane + 1) * self.pane_length_ms - 1)
    }

    /// Returns the earliest window end that is later than `time_ms`.
    fn next_window_end_ms(self, time_ms: i64) -> i64 {
        (time_ms - self.size_ms).div_euclid(self.slide_ms) * self.slide_ms + self.slide_ms + self.size_ms
    }
}

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

    fn load(aggregators: &FeatureAggregators, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Self::load(aggregators, reader)
    }
}

/// The state of one sliding view in one shard.
#[derive(Debug)]
pub(crate) struct SlidingViewState {
    window_grid: WindowGrid,
    pub(crate) panes_by_slot: SlotTable<EntityAccumulators>,
    /// The slots that have panes. A window that fires visits these alone: a shard may have had many more entities once.
    slots_with_panes: FixedBitSet,
    /// For each pane that is still stored, the number of entities with events in the pane.
    entity_count_by_pane: BTreeMap<i64, u32>,
    /// The end, in epoch milliseconds, of the next window to fire. `None` while no pane is stored.
    next_firing_window_end_ms: Option<i64>,
    /// The merges that windows share, by slot; `None` for a slot that has at most [`MAX_PANES_MERGED_ONE_BY_ONE`] panes in
    /// the last window. The last slots may be missing.
    merged_panes_by_slot: Vec<Option<Box<MergedPanes>>>,
    merge_buffer_words: Vec<u64>,
    merge_buffer_variable: Vec<VariableAccumulator>,
    entity_count: usize,
}

impl SlidingViewState {
    pub(crate) fn new(size_ms: i64, slide_ms: i64, aggregators: &FeatureAggregators) -> Self {
        Self {
            window_grid: WindowGrid::new(size_ms, slide_ms),
            panes_by_slot: SlotTable::default(),
            slots_with_panes: FixedBitSet::new(),
            entity_count_by_pane: BTreeMap::new(),
            next_firing_window_end_ms: None,
            merged_panes_by_slot: Vec::new(),
            merge_buffer_words: vec![0; aggregators.fixed_size_word_count()],
            merge_buffer_variable: vec![VariableAccumulator::Empty; aggregators.variable_accumulator_count()],
            entity_count: 0,
        }
    }

    /// Folds `event` into the pane that contains it. Returns `false` and changes nothing if the event is late for this
    /// view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let pane = self.window_grid.pane_index_at(event.time.ms());
        let Some(last_end) = self.window_grid.pane_last_window_end_ms(pane) else {
            // No window contains the event, because the slide is longer than the size. As in Flink, such an event
            // counts as late only if the watermark has reached its event time.
            return event.time > watermark;
        };
        if last_end - 1 <= watermark.ms() {
            return false;
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
        true
    }

    /// Returns the watermark at which the next window fires, or the largest possible time if no pane is stored.
    pub(crate) fn next_due_watermark(&self) -> EventTime {
        EventTime::from_ms(self.next_firing_window_end_ms.map_or(i64::MAX, |end| end - 1))
    }

    /// Fires every window whose last millisecond the watermark has reached. Removes the panes that no later window
    /// needs.
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
            self.fire_window(view, aggregators, entities, end, out);
            self.plan_next_firing_window(EventTime::from_ms(end - 1));
        }
    }

    fn fire_window(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        end: i64,
        out: &mut impl ShardOutput,
    ) {
        let Self {
            window_grid: grid,
            panes_by_slot: slots,
            slots_with_panes,
            entity_count_by_pane: pane_holders,
            merged_panes_by_slot,
            merge_buffer_words: merged_words,
            merge_buffer_variable: merged_variable,
            entity_count,
            ..
        } = self;
        let window = Window { start: EventTime::from_ms(end - grid.size_ms), end: EventTime::from_ms(end) };
        let (first_pane, end_pane) = (grid.pane_index_at(window.start.ms()), grid.pane_index_at(end));
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
            if from < to {
                let accumulators = if to - from == 1 {
                    panes.entry_accumulators(aggregators, from)
                } else {
                    merged_words.fill(0);
                    merged_variable.fill(VariableAccumulator::Empty);
                    let mut merged =
                        EntryAccumulatorsMut { fixed_size_words: merged_words, variable_accumulators: merged_variable };
                    if to - from <= MAX_PANES_MERGED_ONE_BY_ONE {
                        for entry in from..to {
                            aggregators.merge_newer_entry(&mut merged, panes.entry_accumulators(aggregators, entry));
                        }
                    } else {
                        if merged_panes_by_slot.len() <= slot.index() {
                            merged_panes_by_slot.resize_with(slot.index() + 1, || None);
                        }
                        let merged_panes = merged_panes_by_slot[slot.index()].get_or_insert_default();
                        let window_panes =
                            WindowPanes { panes: &panes, entries: from..to, window: first_pane..end_pane };
                        merged_panes.merge_window(aggregators, &window_panes, &mut merged);
                    }
                    EntryAccumulators { fixed_size_words: merged_words, variable_accumulators: merged_variable }
                };
                out.emit_row(Row {
                    view_id: view,
                    entity_key: entities.entity_key(slot),
                    window,
                    row_number: 0,
                    feature_aggregators: aggregators,
                    accumulators,
                });
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
            if kept_from > 0 && kept_from * 8 >= panes.entry_count(aggregators) {
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

    /// Loads the panes from one block of a snapshot, during a restore.
    pub(crate) fn load_panes(
        &mut self,
        aggregators: &FeatureAggregators,
        records: SlotRecordBlock<'_>,
    ) -> Result<(), DamagedSnapshot> {
        let pane_ms = self.window_grid.pane_length_ms;
        self.panes_by_slot.load_slot_block(aggregators, records, |_, panes| {
            let is_plausible = |entry| {
                let pane = panes.entry_span(aggregators, entry).span_start;
                pane.checked_mul(pane_ms).is_some_and(|start| start.abs() <= MAX_PANE_START_MS)
            };
            if (0..panes.entry_count(aggregators)).all(is_plausible) {
                Ok(())
            } else {
                Err(DamagedSnapshot("a pane outside the range of event times"))
            }
        })
    }

    /// Ends a restore. Drops the panes whose last window had already fired when the newest loaded snapshot began. Then
    /// finds the next window to fire.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let grid = self.window_grid;
        let has_passed =
            |pane| grid.pane_last_window_end_ms(pane).is_none_or(|last_end| last_end - 1 <= watermark.ms());
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
        self.next_firing_window_end_ms = self.entity_count_by_pane.first_key_value().map(|(&pane, _)| {
            let first = self.window_grid.pane_first_window_end_ms(pane);
            if first - 1 > fired.ms() { first } else { self.window_grid.next_window_end_ms(fired.ms() + 1) }
        });
    }
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

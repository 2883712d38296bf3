//! Sliding and tumbling windows over panes.
//!
//! Owns: which panes a window consists of, when it fires, when a pane is no longer needed. Does not own: the arithmetic
//! of accumulators, the watermark itself.
//! Invariants: (1) an event changes exactly one pane; (2) a pane lives until the last window it belongs to has fired, so an
//! event that is late for some of its windows counts in the others by joining its pane; (3) windows fire in the order of
//! their ends, and only where an entity has a pane in them.
//! Why panes: Flink's DataStream API keeps a copy of an event's effect in each of size/slide windows. A pane is as long as
//! the greatest common divisor of size and slide, and all windows share it. With six panes, a tree over panes does not pay.

use std::collections::BTreeMap;

use crate::accumulator_table::{AccumulatorTable, RowSpan};
use crate::aggregate::{FeatureAggregators, RowAccumulators, RowAccumulatorsMut, VariableAccumulator};
use crate::entity_slot::EntitySlot;
use crate::entity_table::EntityTable;
use crate::event::Event;
use crate::row::{Row, ShardOutput, ViewId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader};
use crate::snapshot::slots::{RestorePermit, SlotRecords, SlotState, SnapshotSlots};
use crate::time::{EventTime, Window};
use crate::view::pane_size_ms;

/// Beyond the start of every pane that an event can be in.
const MAX_PANE_START_MS: i64 = 2 * EventTime::EARLIEST.ms().abs();

/// The geometry of a view's windows.
#[derive(Clone, Copy, Debug)]
struct WindowGrid {
    size_ms: i64,
    slide_ms: i64,
    pane_ms: i64,
}

impl WindowGrid {
    fn new(size_ms: i64, slide_ms: i64) -> Self {
        Self { size_ms, slide_ms, pane_ms: pane_size_ms(size_ms, slide_ms) }
    }

    fn pane_at(self, time_ms: i64) -> i64 {
        time_ms.div_euclid(self.pane_ms)
    }

    /// Returns the end of the last window that `pane` belongs to, or `None` in a gap between windows (slide > size).
    fn last_window_end(self, pane: i64) -> Option<i64> {
        let start = (pane * self.pane_ms).div_euclid(self.slide_ms) * self.slide_ms;
        let end = start + self.size_ms;
        (pane * self.pane_ms < end).then_some(end)
    }

    /// Returns the end of the first window that `pane` belongs to. The pane must not lie in a gap.
    fn first_window_end(self, pane: i64) -> i64 {
        self.next_window_end((pane + 1) * self.pane_ms - 1)
    }

    /// Returns the first window end after `time_ms`.
    fn next_window_end(self, time_ms: i64) -> i64 {
        (time_ms - self.size_ms).div_euclid(self.slide_ms) * self.slide_ms + self.slide_ms + self.size_ms
    }
}

impl SlotState for AccumulatorTable {
    type Layout = FeatureAggregators;

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn save(&self, aggregators: &FeatureAggregators, out: &mut Vec<u8>) {
        self.save(aggregators, out);
    }

    fn load(aggregators: &FeatureAggregators, reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        Self::load(aggregators, reader)
    }
}

/// One sliding view's state in one shard.
#[derive(Debug)]
pub(crate) struct SlidingState {
    grid: WindowGrid,
    /// The panes of every entity.
    pub(crate) slots: SnapshotSlots<AccumulatorTable>,
    /// Number of entities with a row for each live pane.
    pane_holders: BTreeMap<i64, u32>,
    /// End of the next window with anything to fire.
    next_window_end: Option<i64>,
    merged_words: Vec<u64>,
    merged_variable: Vec<VariableAccumulator>,
    /// Number of entities with panes.
    entity_count: usize,
}

impl SlidingState {
    pub(crate) fn new(size_ms: i64, slide_ms: i64, aggregators: &FeatureAggregators) -> Self {
        Self {
            grid: WindowGrid::new(size_ms, slide_ms),
            slots: SnapshotSlots::default(),
            pane_holders: BTreeMap::new(),
            next_window_end: None,
            merged_words: vec![0; aggregators.word_count()],
            merged_variable: vec![VariableAccumulator::Empty; aggregators.variable_count()],
            entity_count: 0,
        }
    }

    /// Folds `event` into its pane. Returns `false` where the event is late for this view.
    pub(crate) fn add_event(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let pane = self.grid.pane_at(event.time.ms());
        let Some(last_end) = self.grid.last_window_end(pane) else {
            // In a gap between windows: as in Flink, only an event whose own time has passed counts as late.
            return event.time > watermark;
        };
        if last_end - 1 <= watermark.ms() {
            return false;
        }
        self.slots.grow_to(slot);
        let panes = self.slots.change(slot, aggregators);
        if panes.is_empty() {
            entities.add_view(slot);
            self.entity_count += 1;
        }
        let row = panes.first_row_from(aggregators, pane);
        let is_new = row == panes.row_count(aggregators) || panes.span(aggregators, row).from != pane;
        if is_new {
            panes.insert_row(aggregators, row, RowSpan { from: pane, to: pane });
        }
        aggregators.fold_event(&mut panes.accumulators_mut(aggregators, row), event);
        if is_new {
            let holders = self.pane_holders.entry(pane).or_insert(0);
            *holders += 1;
            if *holders == 1 {
                self.plan_next_window(watermark);
            }
        }
        true
    }

    /// Returns the watermark at which something fires next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.next_window_end.map_or(i64::MAX, |end| end - 1))
    }

    /// Fires every window whose end the watermark has reached.
    pub(crate) fn fire_due_windows(
        &mut self,
        view: ViewId,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(end) = self.next_window_end
            && end - 1 <= watermark.ms()
        {
            self.fire_window(view, aggregators, entities, end, out);
            self.plan_next_window(EventTime::from_ms(end - 1));
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
        let Self { grid, slots, pane_holders, merged_words, merged_variable, entity_count, .. } = self;
        let window = Window { start: EventTime::from_ms(end - grid.size_ms), end: EventTime::from_ms(end) };
        let (first_pane, end_pane) = (grid.pane_at(window.start.ms()), grid.pane_at(end));
        slots.visit_in_use(|panes| {
            let slot = panes.slot();
            let from = panes.first_row_from(aggregators, first_pane);
            let to = panes.first_row_from(aggregators, end_pane);
            if from < to {
                let key = entities.key(slot);
                if to - from == 1 {
                    let accumulators = panes.accumulators(aggregators, from);
                    out.emit_row(Row { view, key, window, number: 0, aggregators, accumulators });
                } else {
                    merged_words.fill(0);
                    merged_variable.fill(VariableAccumulator::Empty);
                    for row in from..to {
                        let mut merged = RowAccumulatorsMut { words: merged_words, variable: merged_variable };
                        aggregators.merge_newer(&mut merged, panes.accumulators(aggregators, row));
                    }
                    let accumulators = RowAccumulators { words: merged_words, variable: merged_variable };
                    out.emit_row(Row { view, key, window, number: 0, aggregators, accumulators });
                }
            }
            let is_done = |pane| grid.last_window_end(pane).is_none_or(|last| last <= end);
            let mut done = 0;
            while done < to && is_done(panes.span(aggregators, done).from) {
                release_pane(pane_holders, panes.span(aggregators, done).from);
                done += 1;
            }
            if done > 0 {
                let panes = panes.expire(aggregators);
                panes.remove_rows(aggregators, 0, done);
                if panes.is_empty() {
                    entities.remove_view(slot);
                    *entity_count -= 1;
                }
            }
        });
    }

    /// Returns the number of entities with panes.
    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    /// Loads the panes of a block of a snapshot.
    pub(crate) fn load_panes(
        &mut self,
        aggregators: &FeatureAggregators,
        records: SlotRecords<'_>,
    ) -> Result<(), DamagedSnapshot> {
        let pane_ms = self.grid.pane_ms;
        self.slots.load(aggregators, records, |_, panes| {
            let is_plausible = |row| {
                let pane = panes.span(aggregators, row).from;
                pane.checked_mul(pane_ms).is_some_and(|start| start.abs() <= MAX_PANE_START_MS)
            };
            if (0..panes.row_count(aggregators)).all(is_plausible) {
                Ok(())
            } else {
                Err(DamagedSnapshot("a pane outside of all time"))
            }
        })
    }

    /// Ends a restore: drops the panes that the watermark has passed, and plans the next window to fire.
    pub(crate) fn finish_restore(
        &mut self,
        aggregators: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        let grid = self.grid;
        let has_passed = |pane| grid.last_window_end(pane).is_none_or(|last_end| last_end - 1 <= watermark.ms());
        for (slot, panes) in self.slots.iter_restored(permit).filter(|(_, panes)| !panes.is_empty()) {
            let rows = 0..panes.row_count(aggregators);
            let passed = rows.take_while(|&row| has_passed(panes.span(aggregators, row).from)).count();
            panes.remove_rows(aggregators, 0, passed);
            if !panes.is_empty() {
                entities.add_loaded_view(slot);
                self.entity_count += 1;
            }
            for row in 0..panes.row_count(aggregators) {
                *self.pane_holders.entry(panes.span(aggregators, row).from).or_insert(0) += 1;
            }
        }
        self.plan_next_window(watermark);
    }

    /// Finds the first window that has a pane and has not fired. All windows up to the watermark `fired` have.
    fn plan_next_window(&mut self, fired: EventTime) {
        self.next_window_end = self.pane_holders.first_key_value().map(|(&pane, _)| {
            let first = self.grid.first_window_end(pane);
            if first - 1 > fired.ms() { first } else { self.grid.next_window_end(fired.ms() + 1) }
        });
    }
}

/// Notes that one entity has removed `pane`.
fn release_pane(pane_holders: &mut BTreeMap<i64, u32>, pane: i64) {
    if let Some(holders) = pane_holders.get_mut(&pane) {
        *holders -= 1;
        if *holders == 0 {
            pane_holders.remove(&pane);
        }
    }
}

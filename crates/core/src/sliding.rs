//! Sliding and tumbling windows over panes.
//!
//! Owns: which panes a window consists of, when it fires, when a pane is no longer needed. Does not own: the arithmetic
//! of accumulators, the watermark itself.
//! Invariants: (1) an event touches exactly one pane; (2) a pane lives until the last window it belongs to has fired, so
//! an event that is late for some of its windows adds itself to the others merely by joining its pane; (3) windows fire
//! in the order of their ends, and only where an entity has a pane in them.
//! Why panes: Flink's DataStream API keeps a copy of an event's effect in each of size/slide windows; a pane is
//! gcd(size, slide) wide and shared by all of them. Trees over panes do not pay at six of them.

use std::collections::BTreeMap;

use crate::aggregate::{FeatureAggregators, RowAccumulators, RowAccumulatorsMut, VariableAccumulator};
use crate::entities::{EntitySlot, EntityTable};
use crate::snapshot::DamagedSnapshot;
use crate::snapshot::restore::read_slot_records;
use crate::snapshot::saver::SnapshotWriter;
use crate::snapshot::wire::SnapshotReader;
use crate::strip::{AccumulatorTable, RowSpan};
use crate::{Event, EventTime, Row, ShardOutput, ViewId, Window, pane_size_ms};

/// Beyond every pane that an event can be in.
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

    fn pane_at(self, time: i64) -> i64 {
        time.div_euclid(self.pane_ms)
    }

    /// End of the last window that `pane` belongs to, or `None` in the gap between windows (slide > size).
    fn last_window_end(self, pane: i64) -> Option<i64> {
        let start = (pane * self.pane_ms).div_euclid(self.slide_ms) * self.slide_ms;
        let end = start + self.size_ms;
        (pane * self.pane_ms < end).then_some(end)
    }

    /// End of the first window that `pane` belongs to; only for panes that belong to one.
    fn first_window_end(self, pane: i64) -> i64 {
        self.next_window_end((pane + 1) * self.pane_ms - 1)
    }

    /// The first window end after `time`.
    fn next_window_end(self, time: i64) -> i64 {
        (time - self.size_ms).div_euclid(self.slide_ms) * self.slide_ms + self.slide_ms + self.size_ms
    }
}

/// One sliding view's state in one shard.
#[derive(Debug)]
pub(crate) struct SlidingState {
    grid: WindowGrid,
    tables: Vec<AccumulatorTable>,
    /// How many entities hold each live pane.
    pane_holders: BTreeMap<i64, u32>,
    /// End of the next window that has anything to fire.
    next_window_end: Option<i64>,
    merged_words: Vec<u64>,
    merged_variable: Vec<VariableAccumulator>,
    /// Entities that have panes.
    entity_count: usize,
    pub(crate) snapshot_writer: SnapshotWriter,
}

impl SlidingState {
    pub(crate) fn new(size_ms: i64, slide_ms: i64, folds: &FeatureAggregators) -> Self {
        Self {
            grid: WindowGrid::new(size_ms, slide_ms),
            tables: Vec::new(),
            pane_holders: BTreeMap::new(),
            next_window_end: None,
            merged_words: vec![0; folds.word_count()],
            merged_variable: vec![VariableAccumulator::Empty; folds.variable_count()],
            entity_count: 0,
            snapshot_writer: SnapshotWriter::default(),
        }
    }

    /// Folds `event` into its pane; `false` if it is late for this view.
    pub(crate) fn add_event(
        &mut self,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        slot: EntitySlot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let pane = self.grid.pane_at(event.time.ms());
        let Some(last_end) = self.grid.last_window_end(pane) else {
            // In a gap between windows: Flink counts it as late only where its own time has passed.
            return event.time > watermark;
        };
        if last_end - 1 <= watermark.ms() {
            return false;
        }
        if slot.index() >= self.tables.len() {
            self.tables.resize_with(slot.index() + 1, AccumulatorTable::default);
        }
        let strip = &mut self.tables[slot.index()];
        if self.snapshot_writer.mark_changed(slot) && !strip.is_empty() {
            self.snapshot_writer.write_record(slot, |out| strip.save(folds, out));
        }
        if strip.is_empty() {
            entities.add_view(slot);
            self.entity_count += 1;
        }
        let row = strip.first_row_from(folds, pane);
        if row == strip.row_count(folds) || strip.span(folds, row).from != pane {
            strip.insert_row(folds, row, RowSpan { from: pane, to: pane });
            let holders = self.pane_holders.entry(pane).or_insert(0);
            *holders += 1;
            if *holders == 1 {
                self.plan_next_window(watermark);
            }
        }
        folds.fold_event(&mut self.tables[slot.index()].accumulators_mut(folds, row), event);
        true
    }

    /// The watermark at which something fires next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.next_window_end.map_or(i64::MAX, |end| end - 1))
    }

    /// Fires every window whose end the watermark has reached.
    pub(crate) fn fire_due_windows(
        &mut self,
        view: ViewId,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
        out: &mut impl ShardOutput,
    ) {
        while let Some(end) = self.next_window_end
            && end - 1 <= watermark.ms()
        {
            self.fire_window(view, folds, entities, end, out);
            self.plan_next_window(EventTime::from_ms(end - 1));
        }
    }

    fn fire_window(
        &mut self,
        view: ViewId,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        end: i64,
        out: &mut impl ShardOutput,
    ) {
        let Self {
            grid,
            tables: strips,
            pane_holders: panes,
            merged_words,
            merged_variable: merged_held,
            entity_count: held,
            snapshot_writer: saver,
            ..
        } = self;
        let window = Window { start: EventTime::from_ms(end - grid.size_ms), end: EventTime::from_ms(end) };
        let (first_pane, end_pane) = (grid.pane_at(window.start.ms()), grid.pane_at(end));
        for (index, strip) in strips.iter_mut().enumerate().filter(|(_, strip)| !strip.is_empty()) {
            #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
            let slot = EntitySlot(index as u32);
            let (from, to) = (strip.first_row_from(folds, first_pane), strip.first_row_from(folds, end_pane));
            if from < to {
                let key = entities.key(slot);
                if to - from == 1 {
                    out.emit_row(Row {
                        view,
                        key,
                        window,
                        number: 0,
                        aggregators: folds,
                        accumulators: strip.accumulators(folds, from),
                    });
                } else {
                    merged_words.fill(0);
                    merged_held.fill(VariableAccumulator::Empty);
                    for row in from..to {
                        let mut merged = RowAccumulatorsMut { words: merged_words, variable: merged_held };
                        folds.merge_newer(&mut merged, strip.accumulators(folds, row));
                    }
                    let cells = RowAccumulators { words: merged_words, variable: merged_held };
                    out.emit_row(Row { view, key, window, number: 0, aggregators: folds, accumulators: cells });
                }
            }
            let mut done = 0;
            while done < to && grid.last_window_end(strip.span(folds, done).from).is_none_or(|last| last <= end) {
                release_pane(panes, strip.span(folds, done).from);
                done += 1;
            }
            if done > 0 {
                if saver.take_pending(slot) {
                    saver.write_record(slot, |out| strip.save(folds, out));
                }
                strip.remove_rows(folds, 0, done);
                if strip.is_empty() {
                    entities.remove_view(slot);
                    *held -= 1;
                }
            }
        }
    }

    /// Saves the next slot of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next_slot(&mut self, folds: &FeatureAggregators) -> Option<usize> {
        let slot = self.snapshot_writer.next_pending_slot()?;
        let strip = self.tables.get(slot.index()).filter(|strip| !strip.is_empty());
        Some(strip.map_or(0, |strip| self.snapshot_writer.write_record(slot, |out| strip.save(folds, out))))
    }

    pub(crate) fn entity_count(&self) -> usize {
        self.entity_count
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.tables.len()
    }

    /// Takes over the panes of a block of a snapshot of `slots` slots.
    pub(crate) fn load_panes(
        &mut self,
        folds: &FeatureAggregators,
        slots: u32,
        reader: SnapshotReader<'_>,
    ) -> Result<(), DamagedSnapshot> {
        read_slot_records(slots, reader, |slot, reader| {
            if slot >= self.tables.len() {
                self.tables.resize_with(slot + 1, AccumulatorTable::default);
            }
            let strip = AccumulatorTable::load(folds, reader)?;
            let known = |row| {
                let pane = strip.span(folds, row).from;
                pane.checked_mul(self.grid.pane_ms).is_some_and(|start| start.abs() <= MAX_PANE_START_MS)
            };
            if !(0..strip.row_count(folds)).all(known) {
                return Err(DamagedSnapshot("a pane outside of all time"));
            }
            self.tables[slot] = strip;
            Ok(())
        })
    }

    /// Everything is loaded: drops the panes that the watermark has passed, and plans what fires next.
    pub(crate) fn finish_restore(
        &mut self,
        folds: &FeatureAggregators,
        entities: &mut EntityTable,
        watermark: EventTime,
    ) {
        for (slot, strip) in self.tables.iter_mut().enumerate().filter(|(_, strip)| !strip.is_empty()) {
            let passed = |pane| self.grid.last_window_end(pane).is_none_or(|last_end| last_end - 1 <= watermark.ms());
            let done = (0..strip.row_count(folds)).take_while(|&row| passed(strip.span(folds, row).from)).count();
            strip.remove_rows(folds, 0, done);
            if !strip.is_empty() {
                entities.add_loaded_view(slot);
                self.entity_count += 1;
            }
            for row in 0..strip.row_count(folds) {
                *self.pane_holders.entry(strip.span(folds, row).from).or_insert(0) += 1;
            }
        }
        self.plan_next_window(watermark);
    }

    /// Finds the first window that has a pane and has not fired, `fired` being the watermark up to which all have.
    fn plan_next_window(&mut self, fired: EventTime) {
        self.next_window_end = self.pane_holders.first_key_value().map(|(&pane, _)| {
            let first = self.grid.first_window_end(pane);
            if first - 1 > fired.ms() { first } else { self.grid.next_window_end(fired.ms() + 1) }
        });
    }
}

/// One entity gave up `pane`.
fn release_pane(panes: &mut BTreeMap<i64, u32>, pane: i64) {
    if let Some(holders) = panes.get_mut(&pane) {
        *holders -= 1;
        if *holders == 0 {
            panes.remove(&pane);
        }
    }
}

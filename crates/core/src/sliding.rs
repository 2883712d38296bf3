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

use crate::aggregate::{Cells, CellsMut, Folds, Held};
use crate::entities::{Entities, Slot};
use crate::snapshot::Damaged;
use crate::snapshot::restore::records;
use crate::snapshot::saver::Saver;
use crate::snapshot::wire::Reader;
use crate::strip::{Span, Strip};
use crate::{Event, EventTime, Output, Row, ViewId, Window};

/// Beyond every pane that an event can be in.
const LATEST_START_MS: i64 = 2 * EventTime::EARLIEST.ms().abs();

/// The geometry of a view's windows.
#[derive(Clone, Copy, Debug)]
struct Grid {
    size: i64,
    slide: i64,
    pane: i64,
}

impl Grid {
    fn new(size: i64, slide: i64) -> Self {
        Self { size, slide, pane: gcd(size, slide) }
    }

    fn pane_of(self, time: i64) -> i64 {
        time.div_euclid(self.pane)
    }

    /// End of the last window that `pane` belongs to, or `None` in the gap between windows (slide > size).
    fn last_end(self, pane: i64) -> Option<i64> {
        let start = (pane * self.pane).div_euclid(self.slide) * self.slide;
        let end = start + self.size;
        (pane * self.pane < end).then_some(end)
    }

    /// End of the first window that `pane` belongs to; only for panes that belong to one.
    fn first_end(self, pane: i64) -> i64 {
        self.next_end((pane + 1) * self.pane - 1)
    }

    /// The first window end after `time`.
    fn next_end(self, time: i64) -> i64 {
        (time - self.size).div_euclid(self.slide) * self.slide + self.slide + self.size
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One sliding view's state in one shard.
#[derive(Debug)]
pub(crate) struct SlidingState {
    grid: Grid,
    strips: Vec<Strip>,
    /// How many entities hold each live pane.
    panes: BTreeMap<i64, u32>,
    /// End of the next window that has anything to fire.
    next_end: Option<i64>,
    merged_words: Vec<u64>,
    merged_held: Vec<Held>,
    /// Entities that have panes.
    held: usize,
    pub(crate) saver: Saver,
}

impl SlidingState {
    pub(crate) fn new(size_ms: i64, slide_ms: i64, folds: &Folds) -> Self {
        Self {
            grid: Grid::new(size_ms, slide_ms),
            strips: Vec::new(),
            panes: BTreeMap::new(),
            next_end: None,
            merged_words: vec![0; folds.words()],
            merged_held: vec![Held::Nothing; folds.held()],
            held: 0,
            saver: Saver::default(),
        }
    }

    /// Folds `event` into its pane; `false` if it is late for this view.
    pub(crate) fn add(
        &mut self,
        folds: &Folds,
        entities: &mut Entities,
        slot: Slot,
        event: &Event<'_>,
        watermark: EventTime,
    ) -> bool {
        let pane = self.grid.pane_of(event.time.ms());
        let Some(last_end) = self.grid.last_end(pane) else {
            // In a gap between windows: Flink counts it as late only where its own time has passed.
            return event.time > watermark;
        };
        if last_end - 1 <= watermark.ms() {
            return false;
        }
        if slot.index() >= self.strips.len() {
            self.strips.resize_with(slot.index() + 1, Strip::default);
        }
        let strip = &mut self.strips[slot.index()];
        if self.saver.touch(slot) && !strip.is_empty() {
            self.saver.record(slot, |out| strip.save(folds, out));
        }
        if strip.is_empty() {
            entities.retain(slot);
            self.held += 1;
        }
        let row = strip.position(folds, pane);
        if row == strip.len(folds) || strip.span(folds, row).from != pane {
            strip.insert(folds, row, Span { from: pane, to: pane });
            let holders = self.panes.entry(pane).or_insert(0);
            *holders += 1;
            if *holders == 1 {
                self.plan_next(watermark);
            }
        }
        folds.fold(&mut self.strips[slot.index()].cells_mut(folds, row), event);
        true
    }

    /// The watermark at which something fires next.
    pub(crate) fn next_due(&self) -> EventTime {
        EventTime::from_ms(self.next_end.map_or(i64::MAX, |end| end - 1))
    }

    /// Fires every window whose end the watermark has reached.
    pub(crate) fn fire(
        &mut self,
        view: ViewId,
        folds: &Folds,
        entities: &mut Entities,
        watermark: EventTime,
        out: &mut impl Output,
    ) {
        while let Some(end) = self.next_end
            && end - 1 <= watermark.ms()
        {
            self.fire_window(view, folds, entities, end, out);
            self.plan_next(EventTime::from_ms(end - 1));
        }
    }

    fn fire_window(&mut self, view: ViewId, folds: &Folds, entities: &mut Entities, end: i64, out: &mut impl Output) {
        let Self { grid, strips, panes, merged_words, merged_held, held, saver, .. } = self;
        let window = Window { start: EventTime::from_ms(end - grid.size), end: EventTime::from_ms(end) };
        let (first_pane, end_pane) = (grid.pane_of(window.start.ms()), grid.pane_of(end));
        for (index, strip) in strips.iter_mut().enumerate().filter(|(_, strip)| !strip.is_empty()) {
            #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
            let slot = Slot(index as u32);
            let (from, to) = (strip.position(folds, first_pane), strip.position(folds, end_pane));
            if from < to {
                let key = entities.key(slot);
                if to - from == 1 {
                    out.row(Row { view, key, window, number: 0, folds, cells: strip.cells(folds, from) });
                } else {
                    merged_words.fill(0);
                    merged_held.fill(Held::Nothing);
                    for row in from..to {
                        let mut merged = CellsMut { words: merged_words, held: merged_held };
                        folds.merge(&mut merged, strip.cells(folds, row));
                    }
                    let cells = Cells { words: merged_words, held: merged_held };
                    out.row(Row { view, key, window, number: 0, folds, cells });
                }
            }
            let mut done = 0;
            while done < to && grid.last_end(strip.span(folds, done).from).is_none_or(|last| last <= end) {
                leave(panes, strip.span(folds, done).from);
                done += 1;
            }
            if done > 0 {
                if saver.remove_from(slot) {
                    saver.record(slot, |out| strip.save(folds, out));
                }
                strip.remove(folds, 0, done);
                if strip.is_empty() {
                    entities.release(slot);
                    *held -= 1;
                }
            }
        }
    }

    /// Saves the next slot of the snapshot under way; its bytes, or `None` when all are saved.
    pub(crate) fn save_next(&mut self, folds: &Folds) -> Option<usize> {
        let slot = self.saver.next()?;
        let strip = self.strips.get(slot.index()).filter(|strip| !strip.is_empty());
        Some(strip.map_or(0, |strip| self.saver.record(slot, |out| strip.save(folds, out))))
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn slots(&self) -> usize {
        self.strips.len()
    }

    /// Takes over the panes of a block of a snapshot of `slots` slots.
    pub(crate) fn load(&mut self, folds: &Folds, slots: u32, reader: Reader<'_>) -> Result<(), Damaged> {
        records(slots, reader, |slot, reader| {
            if slot >= self.strips.len() {
                self.strips.resize_with(slot + 1, Strip::default);
            }
            let strip = Strip::load(folds, reader)?;
            let known = |row| {
                let pane = strip.span(folds, row).from;
                pane.checked_mul(self.grid.pane).is_some_and(|start| start.abs() <= LATEST_START_MS)
            };
            if !(0..strip.len(folds)).all(known) {
                return Err(Damaged("a pane outside of all time"));
            }
            self.strips[slot] = strip;
            Ok(())
        })
    }

    /// Everything is loaded: drops the panes that the watermark has passed, and plans what fires next.
    pub(crate) fn resume(&mut self, folds: &Folds, entities: &mut Entities, watermark: EventTime) {
        for (slot, strip) in self.strips.iter_mut().enumerate().filter(|(_, strip)| !strip.is_empty()) {
            let passed = |pane| self.grid.last_end(pane).is_none_or(|last_end| last_end - 1 <= watermark.ms());
            let done = (0..strip.len(folds)).take_while(|&row| passed(strip.span(folds, row).from)).count();
            strip.remove(folds, 0, done);
            if !strip.is_empty() {
                entities.retain_loaded(slot);
                self.held += 1;
            }
            for row in 0..strip.len(folds) {
                *self.panes.entry(strip.span(folds, row).from).or_insert(0) += 1;
            }
        }
        self.plan_next(watermark);
    }

    /// Finds the first window that has a pane and has not fired, `fired` being the watermark up to which all have.
    fn plan_next(&mut self, fired: EventTime) {
        self.next_end = self.panes.first_key_value().map(|(&pane, _)| {
            let first = self.grid.first_end(pane);
            if first - 1 > fired.ms() { first } else { self.grid.next_end(fired.ms() + 1) }
        });
    }
}

/// One entity gave up `pane`.
fn leave(panes: &mut BTreeMap<i64, u32>, pane: i64) {
    if let Some(holders) = panes.get_mut(&pane) {
        *holders -= 1;
        if *holders == 0 {
            panes.remove(&pane);
        }
    }
}

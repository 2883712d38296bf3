//! Migrates the saved panes or sessions of a view to a view with another definition.
//!
//! Owns: which accumulators of a saved entry belong to which feature, and which panes a longer or shorter window keeps. Does
//! not own: which saved feature is which feature of the pipeline (the engine decides that).
//! Invariants: (1) A feature without a saved feature begins with an empty accumulator. (2) What is kept of a pane depends on
//! the definitions, the watermark and the pane alone. So two restores of the same snapshot give the same state.

use crate::aggregate::{AccumulatorLayout, EntryAccumulatorsMut, FeatureAggregators, VariableAccumulator};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader};
use crate::time::EventTime;
use crate::view::{WindowKind, pane_size_ms};
use crate::watermark::Watermark;
use crate::window_grid::WindowGrid;

/// How the saved state of a view becomes the state of a view with another definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewMigration {
    /// The index of the view that gets the state.
    pub view_index: usize,
    /// The accumulators of the saved view's features.
    pub saved_layouts: Vec<AccumulatorLayout>,
    /// For each feature of the view, the index of the saved feature with its state; `None` if it begins empty. Both have the
    /// same accumulators.
    pub saved_feature_by_feature: Vec<Option<usize>>,
    /// The change of the window's length; `None` if the length is unchanged.
    pub window_resize: Option<WindowResize>,
}

/// A change of the length of a sliding view's windows. The slide stays the same, and a pane of the view consists of whole
/// panes of the saved view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowResize {
    saved_grid: WindowGrid,
    grid: WindowGrid,
    /// The watermark of the snapshot.
    watermark: EventTime,
}

impl WindowResize {
    /// Describes the change from the windows `saved` to the windows `current`, at the watermark of the snapshot. Returns
    /// `None` if the saved panes cannot be kept: only the length of sliding windows may change, and the panes of the current
    /// windows must be multiples of the saved panes.
    #[must_use]
    pub fn between(saved: WindowKind, current: WindowKind, watermark: Option<EventTime>) -> Option<Self> {
        let (
            WindowKind::Sliding { size_ms: saved_size_ms, slide_ms: saved_slide_ms },
            WindowKind::Sliding { size_ms, slide_ms },
        ) = (saved, current)
        else {
            return None;
        };
        let is_multiple = pane_size_ms(size_ms, slide_ms) % pane_size_ms(saved_size_ms, saved_slide_ms) == 0;
        (slide_ms == saved_slide_ms && is_multiple).then(|| Self {
            saved_grid: WindowGrid::new(saved_size_ms, saved_slide_ms),
            grid: WindowGrid::new(size_ms, slide_ms),
            watermark: watermark.unwrap_or(Watermark::BEFORE_ALL_EVENTS),
        })
    }

    /// Returns the pane that a saved pane belongs to. Returns `None` for a saved pane whose last window had fired when the
    /// snapshot began: some entities still have it, and others do not. Also returns `None` if no window contains the pane.
    fn resize_pane(&self, saved_pane: i64) -> Option<i64> {
        let last_end = self.saved_grid.pane_last_window_end_ms(saved_pane)?;
        if last_end - 1 <= self.watermark.ms() {
            return None;
        }
        let pane = saved_pane.div_euclid(self.grid.pane_length_ms / self.saved_grid.pane_length_ms);
        self.grid.pane_last_window_end_ms(pane).map(|_| pane)
    }
}

/// A [`ViewMigration`] that is compiled for the aggregators of the view.
#[derive(Debug)]
pub(crate) struct EntryMigration {
    saved_word_count: usize,
    saved_variable_count: usize,
    word_moves: Vec<AccumulatorMove>,
    variable_moves: Vec<AccumulatorMove>,
    window_resize: Option<WindowResize>,
}

/// A range of words, or of variable accumulators, that a feature takes over.
#[derive(Debug)]
struct AccumulatorMove {
    saved_index: usize,
    index: usize,
    count: usize,
}

/// The accumulators of a saved entry, and the range that the entry covers in the view: the index of a pane, or the times of
/// the first and the last event of a session.
pub(crate) struct SavedEntry {
    pub(crate) span_start: i64,
    pub(crate) span_end: i64,
    words: Vec<u64>,
    variable_accumulators: Vec<VariableAccumulator>,
}

impl EntryMigration {
    pub(crate) fn new(migration: &ViewMigration, aggregators: &FeatureAggregators) -> Self {
        let saved_positions = find_accumulator_positions(migration.saved_layouts.iter().copied());
        let positions = find_accumulator_positions(aggregators.accumulator_layouts());
        let (mut word_moves, mut variable_moves) = (Vec::new(), Vec::new());
        for (position, saved_feature) in positions.iter().zip(&migration.saved_feature_by_feature) {
            let Some(saved) = saved_feature.and_then(|saved| saved_positions.get(saved)) else { continue };
            if saved.layout != position.layout {
                continue;
            }
            let AccumulatorLayout { fixed_size_word_count, variable_accumulator_count } = position.layout;
            word_moves.push(AccumulatorMove {
                saved_index: saved.word_index,
                index: position.word_index,
                count: fixed_size_word_count,
            });
            variable_moves.push(AccumulatorMove {
                saved_index: saved.variable_index,
                index: position.variable_index,
                count: variable_accumulator_count,
            });
        }
        let total = |count: fn(&AccumulatorLayout) -> usize| migration.saved_layouts.iter().map(count).sum();
        Self {
            saved_word_count: total(|layout| layout.fixed_size_word_count),
            saved_variable_count: total(|layout| layout.variable_accumulator_count),
            word_moves,
            variable_moves,
            window_resize: migration.window_resize,
        }
    }

    /// Reads the accumulators of the saved entry that covers the range from `span_start` to `span_end`. Returns `None` if the
    /// view has no use for the entry.
    pub(crate) fn read_saved_entry(
        &self,
        span_start: i64,
        span_end: i64,
        reader: &mut SnapshotReader<'_>,
    ) -> Result<Option<SavedEntry>, DamagedSnapshot> {
        let mut words = Vec::with_capacity(self.saved_word_count);
        for _ in 0..self.saved_word_count {
            words.push(reader.read_unsigned()?);
        }
        let mut variable_accumulators = Vec::with_capacity(self.saved_variable_count);
        for _ in 0..self.saved_variable_count {
            variable_accumulators.push(VariableAccumulator::load(reader)?);
        }
        let (span_start, span_end) = match &self.window_resize {
            None => (span_start, span_end),
            Some(resize) => {
                let Some(pane) = resize.resize_pane(span_start) else { return Ok(None) };
                (pane, pane)
            }
        };
        Ok(Some(SavedEntry { span_start, span_end, words, variable_accumulators }))
    }

    /// Moves the accumulators of a saved entry into `entry`, which is empty.
    pub(crate) fn move_accumulators(&self, mut saved: SavedEntry, entry: &mut EntryAccumulatorsMut<'_>) {
        for AccumulatorMove { saved_index, index, count } in &self.word_moves {
            entry.fixed_size_words[*index..index + count]
                .copy_from_slice(&saved.words[*saved_index..saved_index + count]);
        }
        for AccumulatorMove { saved_index, index, count } in &self.variable_moves {
            for offset in 0..*count {
                let accumulator = &mut saved.variable_accumulators[saved_index + offset];
                entry.variable_accumulators[index + offset] = std::mem::take(accumulator);
            }
        }
    }
}

struct AccumulatorPosition {
    layout: AccumulatorLayout,
    word_index: usize,
    variable_index: usize,
}

fn find_accumulator_positions(layouts: impl Iterator<Item = AccumulatorLayout>) -> Vec<AccumulatorPosition> {
    let (mut word_index, mut variable_index) = (0, 0);
    layouts
        .map(|layout| {
            let position = AccumulatorPosition { layout, word_index, variable_index };
            word_index += layout.fixed_size_word_count;
            variable_index += layout.variable_accumulator_count;
            position
        })
        .collect()
}

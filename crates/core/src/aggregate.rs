//! Accumulators: how a view's features are folded event by event, merged pane by pane, and read as a row.
//!
//! Owns: the layout of accumulators and their arithmetic. Does not own: which events meet (panes and sessions decide).
//! Invariants: (1) all-zero words and [`Held::Empty`] are the empty accumulator; (2) the first word of every
//! accumulator counts the values folded into it, so "is it NULL" is "is it zero"; (3) merging is associative, and
//! merging older into newer state in time order gives the value that folding the events in that order would give, up
//! to the rounding of floating-point sums.
//! Why this way: one flat array of words per entity and view is a quarter of the memory of a tree of boxed
//! accumulators, is cleared and copied with `memcpy`, and is its own snapshot format. Only text and sketches, whose
//! size varies, are held outside it.

mod held;
mod numeric;

pub(crate) use held::VariableAccumulator;

use crate::{Aggregate, Condition, Event, EventSchema, Feature, FieldId, FieldType, Literal, Value};
use held::VariableSizeAggregator;
use numeric::FixedSizeAggregator;

/// The accumulators of one pane or session, to be changed.
pub(crate) struct RowAccumulatorsMut<'a> {
    pub(crate) words: &'a mut [u64],
    pub(crate) variable: &'a mut [VariableAccumulator],
}

/// The accumulators of one pane or session, to be read.
#[derive(Clone, Copy)]
pub(crate) struct RowAccumulators<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) variable: &'a [VariableAccumulator],
}

/// All features of a view, compiled for folding.
#[derive(Debug)]
pub(crate) struct FeatureAggregators {
    features: Box<[FeatureAggregator]>,
    word_count: usize,
    variable_count: usize,
}

/// One feature, compiled: where its accumulator lives and what happens to it.
#[derive(Debug)]
struct FeatureAggregator {
    condition: Option<Condition>,
    default: Option<Literal>,
    aggregator: PlacedAggregator,
}

#[derive(Debug)]
enum PlacedAggregator {
    /// Words `at .. at + fold.width()`.
    FixedSize { fold: FixedSizeAggregator, at: usize },
    /// The held value at this index.
    VariableSize { fold: VariableSizeAggregator, at: usize },
}

impl FeatureAggregators {
    pub(crate) fn new(features: &[Feature], schema: &EventSchema) -> Self {
        let (mut word_count, mut variable_count) = (0, 0);
        let features = features
            .iter()
            .map(|feature| {
                let place = match compile_aggregate(feature.aggregate, schema) {
                    CompiledAggregate::FixedSize(fold) => {
                        let at = word_count;
                        word_count += fold.word_count();
                        PlacedAggregator::FixedSize { fold, at }
                    }
                    CompiledAggregate::VariableSize(fold) => {
                        variable_count += 1;
                        PlacedAggregator::VariableSize { fold, at: variable_count - 1 }
                    }
                };
                FeatureAggregator {
                    condition: feature.condition.clone(),
                    default: feature.default.clone(),
                    aggregator: place,
                }
            })
            .collect();
        Self { features, word_count, variable_count }
    }

    /// Words one pane or session needs.
    pub(crate) fn word_count(&self) -> usize {
        self.word_count
    }

    /// Held values one pane or session needs.
    pub(crate) fn variable_count(&self) -> usize {
        self.variable_count
    }

    /// Number of features.
    pub(crate) fn feature_count(&self) -> usize {
        self.features.len()
    }

    /// Folds one event into `cells`.
    pub(crate) fn fold_event(&self, cells: &mut RowAccumulatorsMut<'_>, event: &Event<'_>) {
        for fold in &self.features {
            if fold.condition.as_ref().is_some_and(|condition| !condition.matches(event.fields)) {
                continue;
            }
            match &fold.aggregator {
                PlacedAggregator::FixedSize { fold, at } => fold.fold(&mut cells.words[*at..], event),
                PlacedAggregator::VariableSize { fold, at } => fold.fold(&mut cells.variable[*at], event),
            }
        }
    }

    /// Adds the accumulators of `newer` (later panes, or the later of two sessions) to `cells`.
    pub(crate) fn merge_newer(&self, cells: &mut RowAccumulatorsMut<'_>, newer: RowAccumulators<'_>) {
        for fold in &self.features {
            match &fold.aggregator {
                PlacedAggregator::FixedSize { fold, at } => fold.merge(&mut cells.words[*at..], &newer.words[*at..]),
                PlacedAggregator::VariableSize { fold, at } => {
                    fold.merge(&mut cells.variable[*at], &newer.variable[*at]);
                }
            }
        }
    }

    /// Feature `index`'s value, or its default where that is NULL.
    pub(crate) fn feature_value<'a>(&'a self, index: usize, cells: RowAccumulators<'a>) -> Value<'a> {
        let fold = &self.features[index];
        let value = match &fold.aggregator {
            PlacedAggregator::FixedSize { fold, at } => fold.value(&cells.words[*at..]),
            PlacedAggregator::VariableSize { fold, at } => fold.value(&cells.variable[*at]),
        };
        match (value, &fold.default) {
            (Value::Null, Some(default)) => default.as_value(),
            (value, _) => value,
        }
    }
}

enum CompiledAggregate {
    FixedSize(FixedSizeAggregator),
    VariableSize(VariableSizeAggregator),
}

fn compile_aggregate(aggregate: Aggregate, schema: &EventSchema) -> CompiledAggregate {
    let by_type = |field: FieldId,
                   words: fn(FieldId, FieldType) -> FixedSizeAggregator,
                   held: fn(FieldId) -> VariableSizeAggregator| match schema.field_type(field) {
        FieldType::String => CompiledAggregate::VariableSize(held(field)),
        scalar => CompiledAggregate::FixedSize(words(field, scalar)),
    };
    match aggregate {
        Aggregate::Count => CompiledAggregate::FixedSize(FixedSizeAggregator::Count),
        Aggregate::CountField(field) => CompiledAggregate::FixedSize(FixedSizeAggregator::CountField(field)),
        Aggregate::Sum(field) => CompiledAggregate::FixedSize(match schema.field_type(field) {
            FieldType::Long => FixedSizeAggregator::SumLong(field),
            _ => FixedSizeAggregator::SumDouble(field),
        }),
        Aggregate::Avg(field) => CompiledAggregate::FixedSize(FixedSizeAggregator::Avg(field)),
        Aggregate::Min(field) => by_type(field, FixedSizeAggregator::Min, VariableSizeAggregator::Min),
        Aggregate::Max(field) => by_type(field, FixedSizeAggregator::Max, VariableSizeAggregator::Max),
        Aggregate::First(field) => by_type(field, FixedSizeAggregator::First, VariableSizeAggregator::First),
        Aggregate::Last(field) => by_type(field, FixedSizeAggregator::Last, VariableSizeAggregator::Last),
        Aggregate::CountDistinct(field) => CompiledAggregate::VariableSize(VariableSizeAggregator::Distinct(field)),
        Aggregate::Duration(unit) => CompiledAggregate::FixedSize(FixedSizeAggregator::Duration(unit)),
    }
}

//! Accumulators: how a view's features are folded event by event, merged pane by pane, and read as a row.
//!
//! Owns: the layout of accumulators and their arithmetic. Does not own: which events meet (panes and sessions decide).
//! Invariants: (1) all-zero words and [`VariableAccumulator::Empty`] are the empty accumulator; (2) the first word of every
//! fixed-size accumulator counts the values folded into it, so it is NULL where that word is zero; (3) merging is
//! associative. Merging older and newer state in time order gives the value that folding the events in that order would
//! give, up to the rounding of floating-point sums.
//! Why this way: one flat array of words per entity and view takes a quarter of the memory of a tree of boxed
//! accumulators. It is cleared and copied with `memcpy`, and is its own snapshot format. Only text and sketches, whose
//! size varies, lie outside it.

mod fixed_size;
mod variable_size;

pub(crate) use variable_size::VariableAccumulator;

use crate::condition::Condition;
use crate::event::{Event, EventSchema, FieldId};
use crate::value::{FieldType, Literal, Value};
use crate::view::{Aggregate, Feature};
use fixed_size::FixedSizeAggregator;
use variable_size::VariableSizeAggregator;

/// The accumulators of one pane or session, for writing.
pub(crate) struct RowAccumulatorsMut<'a> {
    pub(crate) words: &'a mut [u64],
    pub(crate) variable: &'a mut [VariableAccumulator],
}

/// The accumulators of one pane or session, for reading.
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

/// One feature, compiled.
#[derive(Debug)]
struct FeatureAggregator {
    condition: Option<Condition>,
    default: Option<Literal>,
    aggregator: PlacedAggregator,
}

/// What happens to a feature's accumulator, and where the accumulator lies in its row.
#[derive(Debug)]
enum PlacedAggregator {
    /// In the words from index `at`.
    FixedSize { fold: FixedSizeAggregator, at: usize },
    /// In the variable accumulator at index `at`.
    VariableSize { fold: VariableSizeAggregator, at: usize },
}

impl FeatureAggregators {
    pub(crate) fn new(features: &[Feature], schema: &EventSchema) -> Self {
        let (mut word_count, mut variable_count) = (0, 0);
        let features = features
            .iter()
            .map(|feature| {
                let aggregator = match compile_aggregate(feature.aggregate, schema) {
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
                FeatureAggregator { condition: feature.condition.clone(), default: feature.default.clone(), aggregator }
            })
            .collect();
        Self { features, word_count, variable_count }
    }

    /// Returns the number of words of one pane or session.
    pub(crate) fn word_count(&self) -> usize {
        self.word_count
    }

    /// Returns the number of variable accumulators of one pane or session.
    pub(crate) fn variable_count(&self) -> usize {
        self.variable_count
    }

    pub(crate) fn feature_count(&self) -> usize {
        self.features.len()
    }

    /// Folds one event into `row`.
    pub(crate) fn fold_event(&self, row: &mut RowAccumulatorsMut<'_>, event: &Event<'_>) {
        for feature in &self.features {
            if feature.condition.as_ref().is_some_and(|condition| !condition.matches(event.fields)) {
                continue;
            }
            match &feature.aggregator {
                PlacedAggregator::FixedSize { fold, at } => fold.fold(&mut row.words[*at..], event),
                PlacedAggregator::VariableSize { fold, at } => fold.fold(&mut row.variable[*at], event),
            }
        }
    }

    /// Adds the accumulators of `newer` (a later pane, or the later of two sessions) to `row`.
    pub(crate) fn merge_newer(&self, row: &mut RowAccumulatorsMut<'_>, newer: RowAccumulators<'_>) {
        for feature in &self.features {
            match &feature.aggregator {
                PlacedAggregator::FixedSize { fold, at } => fold.merge(&mut row.words[*at..], &newer.words[*at..]),
                PlacedAggregator::VariableSize { fold, at } => {
                    fold.merge(&mut row.variable[*at], &newer.variable[*at]);
                }
            }
        }
    }

    /// Returns the value of feature `index`, or its default where the value is NULL.
    pub(crate) fn feature_value<'a>(&'a self, index: usize, row: RowAccumulators<'a>) -> Value<'a> {
        let feature = &self.features[index];
        let value = match &feature.aggregator {
            PlacedAggregator::FixedSize { fold, at } => fold.value(&row.words[*at..]),
            PlacedAggregator::VariableSize { fold, at } => fold.value(&row.variable[*at]),
        };
        match (value, &feature.default) {
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
                   fixed_size: fn(FieldId, FieldType) -> FixedSizeAggregator,
                   variable_size: fn(FieldId) -> VariableSizeAggregator| {
        match schema.field_type(field) {
            FieldType::String => CompiledAggregate::VariableSize(variable_size(field)),
            scalar => CompiledAggregate::FixedSize(fixed_size(field, scalar)),
        }
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

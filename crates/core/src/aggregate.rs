//! Computes aggregates: folds events into accumulators, merges accumulators, and computes feature values from
//! accumulators.
//!
//! Owns: the layout of accumulators and their arithmetic. Does not own: which events share an accumulator
//! ([`crate::sliding`] and [`crate::session`] decide that).
//! Invariants: (1) All words of an empty fixed-size accumulator are zero. An empty variable accumulator is
//! [`VariableAccumulator::Empty`]. (2) The first word of a fixed-size accumulator counts the folded values. If no value
//! has been folded, a count is 0 and every other aggregate is NULL. (3) Merging is associative: merging accumulators in
//! time order gives the same value as folding the events in that order. Only floating-point sums can differ, by their
//! rounding.
//! Why flat arrays: one array of 64-bit words per entity and view takes a quarter of the memory of a tree of boxed
//! accumulators. One step clears or copies the array, and a snapshot stores the words in order. Texts and
//! distinct-count sketches vary in size, so they are stored outside the array.

mod fixed_size;
mod variable_size;

pub(crate) use variable_size::VariableAccumulator;

use std::cell::Cell;

use crate::condition::Condition;
use crate::event::{Event, EventSchema, FieldId};
use crate::value::{FieldType, Literal, Value};
use crate::view::{Aggregate, Feature};
use fixed_size::FixedSizeAggregator;
use variable_size::VariableSizeAggregator;

/// The accumulators that a feature has in each pane or session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccumulatorLayout {
    /// The number of 64-bit words of the feature's fixed-size accumulator.
    pub fixed_size_word_count: usize,
    /// The number of the feature's variable accumulators.
    pub variable_accumulator_count: usize,
}

impl AccumulatorLayout {
    pub(crate) fn for_aggregate(aggregate: Aggregate, schema: &EventSchema) -> Self {
        compile_aggregate(aggregate, schema).accumulator_layout()
    }
}

/// The accumulators of one pane or session, with write access.
pub(crate) struct EntryAccumulatorsMut<'a> {
    pub(crate) fixed_size_words: &'a mut [u64],
    pub(crate) variable_accumulators: &'a mut [VariableAccumulator],
}

/// The accumulators of one pane or session, with read access.
#[derive(Clone, Copy)]
pub(crate) struct EntryAccumulators<'a> {
    pub(crate) fixed_size_words: &'a [u64],
    pub(crate) variable_accumulators: &'a [VariableAccumulator],
}

/// The compiled features of one view, in the order in which the view lists them.
#[derive(Debug)]
pub(crate) struct FeatureAggregators {
    feature_aggregators: Box<[FeatureAggregator]>,
    fixed_size_word_count: usize,
    variable_accumulator_count: usize,
    /// The number of bytes of the longest text that an accumulator keeps.
    max_field_bytes: usize,
}

/// A compiled feature: its condition, its default and its aggregator.
#[derive(Debug)]
struct FeatureAggregator {
    condition: Option<Condition>,
    default_value: Option<Literal>,
    aggregator: PositionedAggregator,
    /// The number of additions that have overflowed since the counts were taken last. Folding and merging only read the
    /// features otherwise, and overflows are rare, so this count alone is a cell.
    overflow_count: Cell<u64>,
}

/// The aggregator of a feature, and the position of the feature's accumulator within a pane or session.
#[derive(Debug)]
enum PositionedAggregator {
    /// The accumulator is a part of the 64-bit words of the pane or session. It begins at the index `word_index`.
    FixedSize { aggregator: FixedSizeAggregator, word_index: usize },
    /// The accumulator has the index `accumulator_index` among the variable accumulators of the pane or session.
    VariableSize { aggregator: VariableSizeAggregator, accumulator_index: usize },
}

impl FeatureAggregators {
    pub(crate) fn new(features: &[Feature], schema: &EventSchema) -> Self {
        let (mut fixed_size_word_count, mut variable_accumulator_count) = (0, 0);
        let feature_aggregators = features
            .iter()
            .map(|feature| {
                let aggregator = match compile_aggregate(feature.aggregate, schema) {
                    CompiledAggregate::FixedSize(fold) => {
                        let at = fixed_size_word_count;
                        fixed_size_word_count += fold.word_count();
                        PositionedAggregator::FixedSize { aggregator: fold, word_index: at }
                    }
                    CompiledAggregate::VariableSize(fold) => {
                        variable_accumulator_count += 1;
                        PositionedAggregator::VariableSize {
                            aggregator: fold,
                            accumulator_index: variable_accumulator_count - 1,
                        }
                    }
                };
                FeatureAggregator {
                    condition: feature.condition.clone(),
                    default_value: feature.default_value.clone(),
                    aggregator,
                    overflow_count: Cell::new(0),
                }
            })
            .collect();
        let max_field_bytes = schema.max_field_bytes();
        Self { feature_aggregators, fixed_size_word_count, variable_accumulator_count, max_field_bytes }
    }

    /// Returns the number of 64-bit words in all fixed-size accumulators of one pane or session.
    pub(crate) fn fixed_size_word_count(&self) -> usize {
        self.fixed_size_word_count
    }

    /// Returns the number of variable accumulators of one pane or session.
    pub(crate) fn variable_accumulator_count(&self) -> usize {
        self.variable_accumulator_count
    }

    pub(crate) fn feature_count(&self) -> usize {
        self.feature_aggregators.len()
    }

    /// Returns the accumulators of each feature. In a pane or session, they lie one after the other in this order.
    pub(crate) fn accumulator_layouts(&self) -> impl Iterator<Item = AccumulatorLayout> {
        self.feature_aggregators.iter().map(|feature| match &feature.aggregator {
            PositionedAggregator::FixedSize { aggregator, .. } => aggregator.accumulator_layout(),
            PositionedAggregator::VariableSize { .. } => VariableSizeAggregator::ACCUMULATOR_LAYOUT,
        })
    }

    /// Folds one event into the accumulators of a pane or session. Skips every feature whose condition is not true for
    /// the event.
    pub(crate) fn fold_event(&self, entry: &mut EntryAccumulatorsMut<'_>, event: &Event<'_>) {
        for feature in &self.feature_aggregators {
            if feature.condition.as_ref().is_some_and(|condition| !condition.matches(event.field_values)) {
                continue;
            }
            match &feature.aggregator {
                PositionedAggregator::FixedSize { aggregator: fold, word_index: at } => {
                    if fold.fold_event(&mut entry.fixed_size_words[*at..], event) {
                        feature.count_overflow();
                    }
                }
                PositionedAggregator::VariableSize { aggregator: fold, accumulator_index: at } => {
                    fold.fold_event(&mut entry.variable_accumulators[*at], event, self.max_field_bytes);
                }
            }
        }
    }

    /// Merges `newer`, the accumulators of a newer pane or session, into `entry`, the accumulators of an older one.
    pub(crate) fn merge_newer_entry(&self, entry: &mut EntryAccumulatorsMut<'_>, newer: EntryAccumulators<'_>) {
        for feature in &self.feature_aggregators {
            match &feature.aggregator {
                PositionedAggregator::FixedSize { aggregator: fold, word_index: at } => {
                    let newer_words = &newer.fixed_size_words[*at..];
                    if fold.merge_newer_words(&mut entry.fixed_size_words[*at..], newer_words) {
                        feature.count_overflow();
                    }
                }
                PositionedAggregator::VariableSize { aggregator: fold, accumulator_index: at } => {
                    fold.merge_newer_accumulator(
                        &mut entry.variable_accumulators[*at],
                        &newer.variable_accumulators[*at],
                    );
                }
            }
        }
    }

    /// Returns, for each feature, the number of additions that have overflowed since the last call.
    pub(crate) fn take_overflow_counts(&mut self) -> impl Iterator<Item = u64> {
        self.feature_aggregators.iter_mut().map(|feature| feature.overflow_count.take())
    }

    /// Returns the value of the feature at `index`. If the value is NULL, returns the default of the feature, or NULL
    /// if the feature has no default.
    pub(crate) fn feature_value<'a>(&'a self, index: usize, entry: EntryAccumulators<'a>) -> Value<'a> {
        let feature = &self.feature_aggregators[index];
        let value = match &feature.aggregator {
            PositionedAggregator::FixedSize { aggregator: fold, word_index: at } => {
                fold.compute_value(&entry.fixed_size_words[*at..])
            }
            PositionedAggregator::VariableSize { aggregator: fold, accumulator_index: at } => {
                fold.compute_value(&entry.variable_accumulators[*at])
            }
        };
        match (value, &feature.default_value) {
            (Value::Null, Some(default)) => default.as_value(),
            (value, _) => value,
        }
    }
}

impl FeatureAggregator {
    #[cold]
    fn count_overflow(&self) {
        self.overflow_count.set(self.overflow_count.get() + 1);
    }
}

enum CompiledAggregate {
    FixedSize(FixedSizeAggregator),
    VariableSize(VariableSizeAggregator),
}

impl CompiledAggregate {
    const fn accumulator_layout(&self) -> AccumulatorLayout {
        match self {
            Self::FixedSize(aggregator) => aggregator.accumulator_layout(),
            Self::VariableSize(_) => VariableSizeAggregator::ACCUMULATOR_LAYOUT,
        }
    }
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
        Aggregate::CountDistinct(field) => {
            CompiledAggregate::VariableSize(VariableSizeAggregator::CountDistinct(field))
        }
        Aggregate::Duration(unit) => CompiledAggregate::FixedSize(FixedSizeAggregator::Duration(unit)),
    }
}

//! What a shard emits: a row of features for every window that fires, and every event that came too late.

use crate::aggregate::{FeatureAggregators, RowAccumulators};
use crate::time::{EventTime, Window};
use crate::value::Value;

/// A feature view's position in its pipeline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ViewId(pub usize);

/// The features of one entity in one window, borrowed from the state for the duration of the call.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The view that fired.
    pub view: ViewId,
    /// The entity.
    pub key: &'a str,
    /// The window that closed.
    pub window: Window,
    /// The row's number among the rows of its view in this partition, counted from 1. The same events give the same
    /// numbers in every run, also in one that resumes from a checkpoint. Rows fired by the end of bounded input have
    /// number 0: they depend on where that end was.
    pub number: u64,
    pub(crate) aggregators: &'a FeatureAggregators,
    pub(crate) accumulators: RowAccumulators<'a>,
}

impl<'a> Row<'a> {
    /// Returns the features' values in the view's order, with defaults applied.
    pub fn features(&self) -> impl ExactSizeIterator<Item = Value<'a>> + 'a {
        let (aggregators, accumulators) = (self.aggregators, self.accumulators);
        (0..aggregators.feature_count()).map(move |index| aggregators.feature_value(index, accumulators))
    }
}

/// An event that was late for every window of a view it belongs to (window rule 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateEvent<'a> {
    /// The view that dropped it.
    pub view: ViewId,
    /// The entity.
    pub key: &'a str,
    /// The event time.
    pub time: EventTime,
}

/// Receives what a shard emits. The same events cause the same calls in the same order.
pub trait ShardOutput {
    /// Takes the row of a window that fired.
    fn emit_row(&mut self, row: Row<'_>);
    /// Takes an event that was late for a view.
    fn emit_late_event(&mut self, late: LateEvent<'_>);
}

//! The output of a shard: a row of features for every window that fires, and every event that came too late.

use crate::aggregate::{FeatureAggregators, RowAccumulators};
use crate::time::{EventTime, Window};
use crate::value::Value;

/// A feature view's position in its pipeline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ViewId(pub usize);

/// The features of one entity in one window. A row borrows the shard's state, so the row is valid only during
/// [`ShardOutput::emit_row`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The view that fired.
    pub view_id: ViewId,
    /// The key of the entity.
    pub entity_key: &'a str,
    /// The window that closed.
    pub window: Window,
    /// The row's number among the rows of its view in this partition, counted from 1. The same events give the same
    /// numbers in every run, also in a run that resumes from a checkpoint. A row that fires only because bounded input
    /// ends has number 0, because another end gives other rows.
    pub row_number: u64,
    pub(crate) aggregators: &'a FeatureAggregators,
    pub(crate) accumulators: RowAccumulators<'a>,
}

impl<'a> Row<'a> {
    /// Returns the features' values in the view's order, with defaults applied.
    pub fn feature_values(&self) -> impl ExactSizeIterator<Item = Value<'a>> + 'a {
        let (aggregators, accumulators) = (self.aggregators, self.accumulators);
        (0..aggregators.feature_count()).map(move |index| aggregators.feature_value(index, accumulators))
    }
}

/// An event that was late for all of its windows in a view (window rule 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateEvent<'a> {
    /// The view that dropped the event.
    pub view_id: ViewId,
    /// The key of the entity.
    pub entity_key: &'a str,
    /// The event time of the event.
    pub event_time: EventTime,
}

/// Receives the rows and late events of a shard. The same events cause the same calls in the same order.
pub trait ShardOutput {
    /// Takes the row of a window that fired.
    fn emit_row(&mut self, row: Row<'_>);
    /// Takes an event that was late for a view.
    fn emit_late_event(&mut self, late: LateEvent<'_>);
}

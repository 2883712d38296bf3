//! What a shard tells the world: rows of features that fired, and events that came too late.

use crate::aggregate::{FeatureAggregators, RowAccumulators};
use crate::{EventTime, Value, Window};

/// A feature view's position in its pipeline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ViewId(pub usize);

/// The features of one entity in one window, borrowed from the state for the time of the call.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The view that fired.
    pub view: ViewId,
    /// The entity.
    pub key: &'a str,
    /// The window that closed.
    pub window: Window,
    /// Which of its view's rows in this partition it is, counted from 1. The same events give the same numbers in every
    /// run, also in one that goes on from a checkpoint. 0 for what the end of bounded input fires: those rows depend on
    /// where that end was, so they are not counted.
    pub number: u64,
    pub(crate) aggregators: &'a FeatureAggregators,
    pub(crate) accumulators: RowAccumulators<'a>,
}

impl<'a> Row<'a> {
    /// The features' values in the view's order, defaults applied.
    pub fn features(&self) -> impl ExactSizeIterator<Item = Value<'a>> + 'a {
        let (folds, cells) = (self.aggregators, self.accumulators);
        (0..folds.feature_count()).map(move |index| folds.feature_value(index, cells))
    }
}

/// An event that was late for every window of a view it belongs to (window rule 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateEvent<'a> {
    /// The view that dropped it.
    pub view: ViewId,
    /// The entity.
    pub key: &'a str,
    /// When it happened.
    pub time: EventTime,
}

/// Where a shard puts what it produces. Called in a fixed order for the same events.
pub trait ShardOutput {
    /// A window fired.
    fn emit_row(&mut self, row: Row<'_>);
    /// An event was late for a view.
    fn emit_late_event(&mut self, late: LateEvent<'_>);
}

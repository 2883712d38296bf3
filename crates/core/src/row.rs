//! The output of a shard: rows and late events. When a window fires, the shard emits one row for each entity with
//! events in the window.

use crate::aggregate::{EntryAccumulators, FeatureAggregators};
use crate::time::{EventTime, Window};
use crate::value::Value;

/// The position of a feature view among the views of its pipeline, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ViewId(pub usize);

/// The features of one entity in one window. A row borrows the state of the shard, so it is valid only during the call
/// of [`ShardOutput::emit_row`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The view of the window.
    pub view_id: ViewId,
    /// The key of the entity.
    pub entity_key: &'a str,
    /// The window that fired.
    pub window: Window,
    /// The number of the row among the rows of its view in this partition, counted from 1. The same events give the
    /// same numbers in every run, also in a run that resumes from a checkpoint. The number is 0 if the window fired
    /// only because bounded input ended: such a row would differ in a run with more input.
    pub row_number: u64,
    /// The windows whose rows this row replaces: sessions that have fired before, and that late events have extended or
    /// merged into `window`. Without allowed lateness, there are none (window rule 16).
    pub superseded_windows: &'a [Window],
    /// Whether a later window of the entity has fired already, or fires again because of the same late event. Only a late
    /// event fires an earlier window, if the view allows lateness (window rule 15).
    pub has_newer_row: bool,
    /// Whether the window has no events: the last event of the entity has left it ([`crate::EmptyWindowPolicy`]). The
    /// features have the values of no events.
    pub is_empty_window: bool,
    pub(crate) feature_aggregators: &'a FeatureAggregators,
    pub(crate) accumulators: EntryAccumulators<'a>,
}

impl<'a> Row<'a> {
    /// Returns the values of the features, in the order in which the view lists the features. The default of a feature
    /// replaces a NULL.
    pub fn feature_values(&self) -> impl ExactSizeIterator<Item = Value<'a>> + 'a {
        let (aggregators, accumulators) = (self.feature_aggregators, self.accumulators);
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
    /// Why the watermark had passed the windows of the event.
    pub cause: LatenessCause,
}

/// Why the watermark had passed all windows of a late event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LatenessCause {
    /// Events with later times had arrived before.
    LaterEvents,
    /// The partition was idle, and the watermark followed the wall clock. Without that, the event would not be late.
    IdlePartition,
}

/// How often the sum of a feature has overflowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeatureOverflow {
    /// The view of the feature.
    pub view_id: ViewId,
    /// The position of the feature among the features of its view, counted from 0.
    pub feature_index: usize,
    /// The number of additions whose result did not fit.
    pub overflow_count: u64,
}

/// Receives the rows and late events of a shard. The same events cause the same calls in the same order.
pub trait ShardOutput {
    /// Receives a row of a window that fired.
    fn emit_row(&mut self, row: Row<'_>);
    /// Receives an event that was late for a view.
    fn emit_late_event(&mut self, late: LateEvent<'_>);
}

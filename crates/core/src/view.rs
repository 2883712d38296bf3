//! Feature views: how events are divided into windows, and which features are computed for each window.

use crate::condition::Condition;
use crate::event::{EventSchema, FieldId};
use crate::value::{FieldType, Literal};

/// The rule by which a view divides events into windows. Every length is a number of milliseconds between 1 and
/// [`MAX_WINDOW_MS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowKind {
    /// Windows of length `size_ms`. One window starts at every multiple of `slide_ms` since 1970-01-01T00:00:00Z. If
    /// size and slide are equal, the windows are tumbling windows.
    Sliding {
        /// Length of a window.
        size_ms: i64,
        /// Distance between the starts of two consecutive windows.
        slide_ms: i64,
    },
    /// Session windows. If the next event of the entity follows within `gap_ms`, it belongs to the same session.
    /// Otherwise the session ends.
    Session {
        /// A session ends after this time without events.
        gap_ms: i64,
    },
}

/// The largest allowed window size, slide, gap, lateness or out-of-orderness: 1,000 days. A larger value is probably a mistake.
/// Together with [`crate::EventTime::LATEST`], the limit also prevents overflow when lengths are added to event times.
pub const MAX_WINDOW_MS: i64 = 1_000 * 24 * 60 * 60 * 1_000;

/// The largest allowed number of panes in a sliding window (the window size divided by [`pane_size_ms`]). The number is
/// limited because the state of an entity grows with it.
pub const MAX_PANES_PER_WINDOW: i64 = 10_000;

/// Returns the length of a pane, the piece that overlapping windows share. The length is the greatest common divisor of
/// size and slide.
#[must_use]
pub const fn pane_size_ms(size_ms: i64, slide_ms: i64) -> i64 {
    if slide_ms == 0 { size_ms } else { pane_size_ms(slide_ms, size_ms % slide_ms) }
}

/// The unit of a `duration` aggregate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DurationUnit {
    /// Whole milliseconds.
    Milliseconds,
    /// Whole seconds, rounded down.
    Seconds,
    /// Whole minutes, rounded down.
    Minutes,
}

impl DurationUnit {
    /// Returns the number of milliseconds in the unit.
    #[must_use]
    pub const fn unit_length_ms(self) -> i64 {
        match self {
            Self::Milliseconds => 1,
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
        }
    }
}

/// The function that computes one value from the events of a window. It skips NULL values. If all values are NULL, a
/// count is 0 and every other aggregate is NULL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Number of events, as a long.
    Count,
    /// Number of events in which the field is not NULL, as a long.
    CountField(FieldId),
    /// Sum of a numeric field, in the type of the field.
    Sum(FieldId),
    /// Mean of a numeric field, as a double.
    Avg(FieldId),
    /// Smallest value of a numeric or text field, in the type of the field.
    Min(FieldId),
    /// Largest value of a numeric or text field, in the type of the field.
    Max(FieldId),
    /// Value of the event with the earliest event time, in the type of the field. Of several events with the same event
    /// time, the event that arrived first counts.
    First(FieldId),
    /// Value of the event with the latest event time, in the type of the field. Of several events with the same event
    /// time, the event that arrived last counts.
    Last(FieldId),
    /// Estimated number of distinct values of a field, as a long.
    CountDistinct(FieldId),
    /// Time from the earliest to the latest event, as a long in the given unit.
    Duration(DurationUnit),
}

impl Aggregate {
    /// Returns the type of the values of the aggregate over events with the fields of `schema`.
    #[must_use]
    pub fn output_type(self, schema: &EventSchema) -> FieldType {
        match self {
            Self::Count | Self::CountField(_) | Self::CountDistinct(_) | Self::Duration(_) => FieldType::Long,
            Self::Avg(_) => FieldType::Double,
            Self::Sum(field) | Self::Min(field) | Self::Max(field) | Self::First(field) | Self::Last(field) => {
                schema.field_type(field)
            }
        }
    }
}

/// One feature of a view.
#[derive(Clone, PartialEq, Debug)]
pub struct Feature {
    /// The name of the feature's field in the row.
    pub name: Box<str>,
    /// The aggregate that the feature computes.
    pub aggregate: Aggregate,
    /// Only events for which the condition is true count for this feature. With `None`, all events count.
    pub condition: Option<Condition>,
    /// The value that replaces NULL in the row. With `None`, the row contains NULL.
    pub default_value: Option<Literal>,
}

/// What happens to the row of an entity whose last event has left the sliding window: the first window without events
/// after a window with events (window rule 18).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum EmptyWindowPolicy {
    /// The window does not fire, so the last row stays. This is Flink's behaviour.
    #[default]
    KeepRow,
    /// The window fires, with the values of a window without events.
    WriteZeros,
    /// The window fires, and the row is deleted.
    DeleteRow,
}

/// A feature view: a kind of window with its features.
#[derive(Clone, PartialEq, Debug)]
pub struct FeatureView {
    /// The name of the view, unique in the pipeline.
    pub name: Box<str>,
    /// The rule that defines the windows.
    pub window: WindowKind,
    /// How long after its end a window still takes late events, from 0 to [`MAX_WINDOW_MS`]. Each of them makes the
    /// window fire again (window rule 15).
    pub allowed_lateness_ms: i64,
    /// What happens to the row of an entity whose last event has left the window. [`EmptyWindowPolicy::KeepRow`] for
    /// session windows.
    pub empty_window_policy: EmptyWindowPolicy,
    /// The features, in the order of their values in the row.
    pub features: Vec<Feature>,
}

//! Feature views: a window over one entity's events, and the features computed in it.

use crate::condition::Condition;
use crate::event::FieldId;
use crate::value::Literal;

/// The rule by which a view divides events into windows. Sizes are positive milliseconds, at most [`MAX_WINDOW_MS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowKind {
    /// Windows of `size_ms` that start at every multiple of `slide_ms` since the epoch. Equal values give tumbling
    /// windows.
    Sliding {
        /// Length of a window.
        size_ms: i64,
        /// Distance between two windows' starts.
        slide_ms: i64,
    },
    /// Windows that grow as long as the next event of the entity follows within `gap_ms`.
    Session {
        /// Time without events that ends a session.
        gap_ms: i64,
    },
}

/// The longest window, slide, gap or out-of-orderness: 1,000 days. This limit and [`crate::EventTime::LATEST`] keep all
/// arithmetic far from overflow. In practice a longer window is a mistake.
pub const MAX_WINDOW_MS: i64 = 1_000 * 24 * 60 * 60 * 1_000;

/// The largest number of panes of a sliding window (its size divided by [`pane_size_ms`]). The state of an entity grows
/// with the number of panes.
pub const MAX_PANES_PER_WINDOW: i64 = 10_000;

/// Returns the length of the panes that overlapping windows share: the greatest common divisor of size and slide.
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
    /// Returns the milliseconds in one unit.
    #[must_use]
    pub const fn unit_length_ms(self) -> i64 {
        match self {
            Self::Milliseconds => 1,
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
        }
    }
}

/// The function that folds events into one value. It skips NULL values. Without any other value, a count is 0 and every
/// other aggregate is NULL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Number of events, as a long.
    Count,
    /// Number of events whose field is not NULL, as a long.
    CountField(FieldId),
    /// Sum of a numeric field, in the type of the field.
    Sum(FieldId),
    /// Mean of a numeric field, as a double.
    Avg(FieldId),
    /// Smallest value of a numeric or text field, in the type of the field.
    Min(FieldId),
    /// Largest value of a numeric or text field, in the type of the field.
    Max(FieldId),
    /// Value with the earliest event time, in the type of the field. Of two values at the same time, the first to
    /// arrive counts.
    First(FieldId),
    /// Value with the latest event time, in the type of the field. Of two values at the same time, the last to arrive
    /// counts.
    Last(FieldId),
    /// Estimated number of different values, as a long.
    CountDistinct(FieldId),
    /// Latest minus earliest event time, as a long.
    Duration(DurationUnit),
}

/// One feature of a view.
#[derive(Clone, PartialEq, Debug)]
pub struct Feature {
    /// The name of the feature's field in the row.
    pub name: Box<str>,
    /// The aggregate that the feature computes.
    pub aggregate: Aggregate,
    /// The condition that an event must meet to count for this feature. With `None`, all events count.
    pub condition: Option<Condition>,
    /// The value in the row where the aggregate is NULL.
    pub default_value: Option<Literal>,
}

/// A window and its features.
#[derive(Clone, PartialEq, Debug)]
pub struct FeatureView {
    /// The name, unique in the pipeline.
    pub name: Box<str>,
    /// The rule that defines the windows.
    pub window: WindowKind,
    /// The features, in the order of the row.
    pub features: Vec<Feature>,
}

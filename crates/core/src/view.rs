//! Feature views: a window over one entity's events, and the features computed in it.

use crate::condition::Condition;
use crate::event::FieldId;
use crate::value::Literal;

/// How a view divides an entity's events into windows. Sizes are positive milliseconds, at most [`MAX_WINDOW_MS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowKind {
    /// Windows of `size_ms` starting at every multiple of `slide_ms` since the epoch. Tumbling where both are equal.
    Sliding {
        /// Length of a window.
        size_ms: i64,
        /// Distance between two windows' starts.
        slide_ms: i64,
    },
    /// Windows that grow while events follow each other by at most `gap_ms`.
    Session {
        /// Time without events that ends a session.
        gap_ms: i64,
    },
}

/// The longest window, slide, gap or out-of-orderness: 1,000 days. With [`crate::EventTime::LATEST`] it keeps all
/// arithmetic far from overflow. In practice a longer window is a mistake.
pub const MAX_WINDOW_MS: i64 = 1_000 * 24 * 60 * 60 * 1_000;

/// The most panes of a sliding window (its size divided by [`pane_size_ms`]): state per entity is O(panes).
pub const MAX_PANES: i64 = 10_000;

/// Returns the length of the panes that windows of `size_ms` every `slide_ms` share: the greatest common divisor of both.
#[must_use]
pub const fn pane_size_ms(size_ms: i64, slide_ms: i64) -> i64 {
    if slide_ms == 0 { size_ms } else { pane_size_ms(slide_ms, size_ms % slide_ms) }
}

/// Unit of a `duration` aggregate.
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
    pub const fn ms(self) -> i64 {
        match self {
            Self::Milliseconds => 1,
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
        }
    }
}

/// How a feature folds events into one value. NULL values are skipped. Without a value to fold, the result is NULL
/// (0 for counts).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Number of events. Long.
    Count,
    /// Number of events whose field is not NULL. Long.
    CountField(FieldId),
    /// Sum of a numeric field. Of the field's type.
    Sum(FieldId),
    /// Mean of a numeric field. Double.
    Avg(FieldId),
    /// Smallest value of a numeric or text field. Of the field's type.
    Min(FieldId),
    /// Largest value of a numeric or text field. Of the field's type.
    Max(FieldId),
    /// Value with the earliest event time; of two at the same time, the one that arrived first. Of the field's type.
    First(FieldId),
    /// Value with the latest event time; of two at the same time, the one that arrived last. Of the field's type.
    Last(FieldId),
    /// Estimated number of different values. Long.
    CountDistinct(FieldId),
    /// Latest minus earliest event time. Long.
    Duration(DurationUnit),
}

/// One feature of a view.
#[derive(Clone, PartialEq, Debug)]
pub struct Feature {
    /// The name of its field in the row.
    pub name: Box<str>,
    /// The computation.
    pub aggregate: Aggregate,
    /// The condition that an event must meet to be folded in; `None` folds all events.
    pub condition: Option<Condition>,
    /// The value in the row where the aggregate is NULL.
    pub default: Option<Literal>,
}

/// A window and its features.
#[derive(Clone, PartialEq, Debug)]
pub struct FeatureView {
    /// The name, unique in the pipeline.
    pub name: Box<str>,
    /// The windows.
    pub window: WindowKind,
    /// The features, in the order of the row.
    pub features: Vec<Feature>,
}

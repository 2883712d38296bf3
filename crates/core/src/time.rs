//! Event time: a point in epoch milliseconds, and a window as a half-open range of points.
//!
//! Owns: the representation of event time in all crates. Does not own: reading an event time from a record (the
//! decoder).
//! Invariant: the time of an event that enters a shard lies between [`EventTime::EARLIEST`] and [`EventTime::LATEST`].
//! So adding or subtracting the longest allowed window cannot overflow.

use std::fmt;

/// A point in event time: the number of milliseconds since 1970-01-01T00:00:00Z, negative for earlier times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventTime(i64);

impl EventTime {
    /// The earliest valid event time: −9999-01-02T01:59:59Z. This is also the earliest timestamp of the `jiff` crate.
    /// In every UTC offset, its year has four digits.
    pub const EARLIEST: Self = Self(-377_705_023_201_000);
    /// The latest valid event time: 9999-12-30T22:00:00.999Z. This is also the latest timestamp of the `jiff` crate. In
    /// every UTC offset, its year has four digits.
    pub const LATEST: Self = Self(253_402_207_200_999);

    /// Returns the time `ms` milliseconds after 1970-01-01T00:00:00Z, without a range check. This function is for the
    /// results of arithmetic on valid times.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns the time `ms` milliseconds after 1970-01-01T00:00:00Z. Returns `None` if the time is earlier than
    /// [`Self::EARLIEST`] or later than [`Self::LATEST`]. If a producer sends microseconds instead of milliseconds,
    /// times of this century are beyond the limits, so they are rejected.
    #[must_use]
    pub const fn checked_from_ms(ms: i64) -> Option<Self> {
        if ms >= Self::EARLIEST.0 && ms <= Self::LATEST.0 { Some(Self(ms)) } else { None }
    }

    /// Returns the number of milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A range `[start, end)` of event time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Window {
    /// The first millisecond of the window.
    pub start: EventTime,
    /// The first millisecond after the window.
    pub end: EventTime,
}

impl Window {
    /// Returns the last millisecond of the window. The window fires when the watermark reaches this millisecond (window
    /// rule 3).
    #[must_use]
    pub const fn last_ms(self) -> EventTime {
        EventTime(self.end.0 - 1)
    }
}

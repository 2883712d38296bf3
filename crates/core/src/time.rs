//! Event time: points in epoch milliseconds and half-open windows over them.
//!
//! Owns: the representation of event time in all crates. Does not own: the encoding of time in a record (the decoder).
//! Invariant: an [`EventTime`] that enters a shard lies within [`EventTime::EARLIEST`] and [`EventTime::LATEST`]. So
//! adding or subtracting any window size cannot overflow.

use std::fmt;

/// A point in event time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventTime(i64);

impl EventTime {
    /// The earliest valid event time: −9999-01-02T01:59:59Z. Its year still has four digits in every UTC offset.
    pub const EARLIEST: Self = Self(-377_705_023_201_000);
    /// The latest valid event time: 9999-12-30T22:00:00.999Z. Its year still has four digits in every UTC offset.
    pub const LATEST: Self = Self(253_402_207_200_999);

    /// Returns the time `ms` milliseconds after the epoch, without a range check. It is for results of arithmetic on
    /// valid times.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns the time `ms` milliseconds after the epoch, or `None` outside [`Self::EARLIEST`] to [`Self::LATEST`]. So
    /// an event time in microseconds is detected when a producer sends it as milliseconds.
    #[must_use]
    pub const fn checked_from_ms(ms: i64) -> Option<Self> {
        if ms >= Self::EARLIEST.0 && ms <= Self::LATEST.0 { Some(Self(ms)) } else { None }
    }

    /// Returns the milliseconds since the epoch.
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

/// The span `[start, end)` of event time that a row summarizes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Window {
    /// The first millisecond of the window.
    pub start: EventTime,
    /// The first millisecond after the window.
    pub end: EventTime,
}

impl Window {
    /// Returns the last millisecond of the window. The window fires when the watermark reaches it (window rule 3).
    #[must_use]
    pub const fn last_ms(self) -> EventTime {
        EventTime(self.end.0 - 1)
    }
}

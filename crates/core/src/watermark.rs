//! The watermark of one partition: bounded out-of-orderness, moved by every event (window rule 2).

use crate::time::EventTime;

/// The time up to which a partition's events count as complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watermark {
    time: EventTime,
    max_out_of_orderness_ms: i64,
}

impl Watermark {
    /// Before the first event: nothing is late, nothing fires.
    pub(crate) const BEFORE_ALL: EventTime = EventTime::from_ms(i64::MIN);
    /// After the last event of bounded input: everything fires (window rule 6).
    pub(crate) const AFTER_ALL: EventTime = EventTime::from_ms(i64::MAX);

    pub(crate) const fn new(max_out_of_orderness_ms: i64) -> Self {
        Self { time: Self::BEFORE_ALL, max_out_of_orderness_ms }
    }

    pub(crate) const fn time(self) -> EventTime {
        self.time
    }

    /// Takes an event's time into account. The watermark never moves back.
    pub(crate) fn observe(&mut self, time: EventTime) {
        self.time = self.time.max(EventTime::from_ms(time.ms() - self.max_out_of_orderness_ms - 1));
    }

    /// Sets the watermark to that of a snapshot, or back to the beginning.
    pub(crate) fn restore(&mut self, time: EventTime) {
        self.time = time;
    }

    /// Moves the watermark behind all events.
    pub(crate) fn advance_to_end(&mut self) {
        self.time = Self::AFTER_ALL;
    }
}

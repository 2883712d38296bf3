//! The watermark of one partition: bounded out-of-orderness, moved by every event (window rule 2).

use crate::EventTime;

/// How far event time is known to be complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watermark {
    at: EventTime,
    max_out_of_orderness_ms: i64,
}

impl Watermark {
    /// Before the first event: nothing is late, nothing fires.
    pub(crate) const BEFORE_ALL: EventTime = EventTime::from_ms(i64::MIN);
    /// After the last event of bounded input: everything fires (window rule 6).
    pub(crate) const AFTER_ALL: EventTime = EventTime::from_ms(i64::MAX);

    pub(crate) const fn new(max_out_of_orderness_ms: i64) -> Self {
        Self { at: Self::BEFORE_ALL, max_out_of_orderness_ms }
    }

    /// Where it stands.
    pub(crate) const fn at(self) -> EventTime {
        self.at
    }

    /// Takes an event's time into account; it never goes back.
    pub(crate) fn observe(&mut self, time: EventTime) {
        self.at = self.at.max(EventTime::from_ms(time.ms() - self.max_out_of_orderness_ms - 1));
    }

    /// Goes on from where a snapshot stood.
    pub(crate) fn resume(&mut self, at: EventTime) {
        self.at = at;
    }

    /// No further event comes.
    pub(crate) fn finish(&mut self) {
        self.at = Self::AFTER_ALL;
    }
}

//! The watermark of one partition. It stays a fixed time behind the latest event time (window rule 2), unless the caller
//! advances it because the partition is idle (window rule 17).

use crate::time::EventTime;

/// The time up to which the events of a partition count as complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watermark {
    time: EventTime,
    /// What the watermark would be if only events had advanced it. Never later than `time`.
    time_by_events: EventTime,
    max_out_of_orderness_ms: i64,
}

impl Watermark {
    /// The watermark before the first event. At this watermark, no event is late and no window fires.
    pub(crate) const BEFORE_ALL_EVENTS: EventTime = EventTime::from_ms(i64::MIN);
    /// The watermark after the last event of bounded input. At this watermark, every window fires (window rule 6).
    pub(crate) const AFTER_ALL_EVENTS: EventTime = EventTime::from_ms(i64::MAX);

    pub(crate) const fn new(max_out_of_orderness_ms: i64) -> Self {
        let before = Self::BEFORE_ALL_EVENTS;
        Self { time: before, time_by_events: before, max_out_of_orderness_ms }
    }

    pub(crate) const fn time(self) -> EventTime {
        self.time
    }

    /// Returns what the watermark would be if only events had advanced it.
    pub(crate) const fn time_by_events(self) -> EventTime {
        self.time_by_events
    }

    /// Advances the watermark after an event at `time`. The watermark never moves back.
    pub(crate) fn advance_by_event_time(&mut self, time: EventTime) {
        let by_event = EventTime::from_ms(time.ms() - self.max_out_of_orderness_ms - 1);
        self.time_by_events = self.time_by_events.max(by_event);
        self.time = self.time.max(by_event);
    }

    /// Advances the watermark to `time` without an event. The watermark never moves back.
    pub(crate) fn advance_to(&mut self, time: EventTime) {
        self.time = self.time.max(time);
    }

    /// Sets the watermark to any time, even an earlier one: to the watermark of a snapshot, or to
    /// [`Self::BEFORE_ALL_EVENTS`]. `time_by_events` is what the watermark would be if only events had advanced it.
    pub(crate) fn set_time(&mut self, time: EventTime, time_by_events: EventTime) {
        self.time = time;
        self.time_by_events = time_by_events.min(time);
    }

    /// Moves the watermark past all event times, so that every window fires.
    pub(crate) fn advance_to_end(&mut self) {
        self.time = Self::AFTER_ALL_EVENTS;
    }
}

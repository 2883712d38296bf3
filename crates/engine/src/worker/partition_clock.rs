//! What the wall clock means for one partition: it closes windows of an idle partition, and limits event times.
//!
//! Owns: the decisions about one partition, which of them are applied and which are handed to the sink. Does not own: the
//! finding that a partition is idle (`idle_partitions`), the storing of decisions (the sink's fence).
//! Invariants: (1) Up to the offset `followed_until`, the known decisions are repeated, and the clock is not asked: rows of
//! these records are written already. (2) A decision is handed to the sink before the next row of the partition. (3) While
//! this owner has the partition, the limit of event times follows the clock forward only, at most once a second: a clock that
//! is set back refuses nothing that was accepted, and the list of decisions stays short.
//! After a crash: see [`crate::ClockDecisions`].

use std::time::Duration;

use windrow_core::EventTime;

use super::clock_reading::ClockReading;
use crate::{ClockDecision, ClockDecisions, ClockEffect, FenceToken, LogPosition, Offset, Sink};

/// The shortest time between two rises of the limit of event times.
const MIN_LIMIT_RISE_INTERVAL: Duration = Duration::from_secs(1);

/// The decisions of the wall clock about one partition, and how far they are applied.
#[derive(Debug)]
pub(super) struct PartitionClock {
    decisions: ClockDecisions,
    /// The number of decisions that are applied.
    applied_count: usize,
    /// Before this offset, the known decisions are repeated.
    followed_until: Offset,
    /// Whether the sink has not received the newest decisions.
    has_unsent_decisions: bool,
    /// The latest event time that is accepted; `None` if all are.
    event_time_limit: Option<EventTime>,
    /// The monotonic time at which this owner last set the limit; `None` if it has not set it yet.
    limit_set_at: Option<Duration>,
}

impl PartitionClock {
    /// Creates the clock of a partition that is read from `next_offset` on. `known` are the stored decisions, and
    /// `written_until` is the position of the last written row. `event_time_limit` is the limit at `next_offset`.
    pub(super) fn new(
        known: ClockDecisions,
        next_offset: Option<Offset>,
        written_until: Option<LogPosition>,
        event_time_limit: Option<EventTime>,
    ) -> Self {
        let next_offset = next_offset.unwrap_or(0);
        let applied_count = known.decisions.partition_point(|decision| decision.before_offset < next_offset);
        Self {
            decisions: known,
            applied_count,
            followed_until: written_until.map_or(next_offset, |position| position.offset),
            has_unsent_decisions: false,
            event_time_limit,
            limit_set_at: None,
        }
    }

    /// Returns the latest event time that is accepted; `None` if all are.
    pub(super) fn event_time_limit(&self) -> Option<EventTime> {
        self.event_time_limit
    }

    /// Returns whether the rows of all records before `next_offset` depend on decisions of this owner or of no one: the
    /// partition has caught up with the rows that are written.
    pub(super) fn has_caught_up(&self, next_offset: Offset) -> bool {
        next_offset >= self.followed_until && self.applied_count == self.decisions.decisions.len()
    }

    /// Applies the next known decision that was made before the record at `next_offset`. Returns the time to which the
    /// watermark advances; `None` if no decision is left. The caller repeats the call until then.
    pub(super) fn next_known_advance(&mut self, next_offset: Offset) -> Option<EventTime> {
        while let Some(decision) = self.decisions.decisions.get(self.applied_count)
            && decision.before_offset <= next_offset
        {
            self.applied_count += 1;
            match decision.effect {
                ClockEffect::AdvanceWatermark(time) => return Some(time),
                ClockEffect::LimitEventTime(limit) => self.event_time_limit = Some(limit),
            }
        }
        None
    }

    /// Notes that the partition is idle, and that its watermark advances to `time`.
    pub(super) fn record_advance(&mut self, next_offset: Offset, time: EventTime) {
        self.record_decision(next_offset, ClockEffect::AdvanceWatermark(time));
    }

    /// Returns whether an event at `time`, in the record at `offset`, is accepted. Events may be at most `max_future_ms`
    /// later than the wall clock; with `None`, they may have any time.
    pub(super) fn accepts_event_time(
        &mut self,
        time: EventTime,
        offset: Offset,
        max_future_ms: Option<i64>,
        read_clocks: impl FnOnce() -> ClockReading,
    ) -> bool {
        if offset < self.followed_until {
            return self.event_time_limit.is_none_or(|limit| time <= limit);
        }
        let Some(max_future_ms) = max_future_ms else {
            if self.event_time_limit.is_some_and(|limit| limit < EventTime::LATEST) {
                self.set_event_time_limit(offset, EventTime::LATEST);
            }
            return true;
        };
        let may_stay = self.limit_set_at.is_some() && self.event_time_limit.is_some_and(|limit| time <= limit);
        if !may_stay {
            let now = read_clocks();
            let by_clock = now.wall_now_ms.saturating_add(max_future_ms).min(EventTime::LATEST.ms());
            let is_due = self.limit_set_at.is_none_or(|set_at| {
                now.monotonic_now.saturating_sub(set_at) >= MIN_LIMIT_RISE_INTERVAL
                    && self.event_time_limit.is_none_or(|limit| limit.ms() < by_clock)
            });
            if is_due {
                self.limit_set_at = Some(now.monotonic_now);
                self.set_event_time_limit(offset, EventTime::from_ms(by_clock));
            }
        }
        self.event_time_limit.is_none_or(|limit| time <= limit)
    }

    fn set_event_time_limit(&mut self, offset: Offset, limit: EventTime) {
        self.event_time_limit = Some(limit);
        self.record_decision(offset, ClockEffect::LimitEventTime(limit));
    }

    fn record_decision(&mut self, before_offset: Offset, effect: ClockEffect) {
        // Decisions that this owner has not reached yet would be repeated after newer ones. There are none: it decides only
        // after it has caught up. Those of records that the log has lost are forgotten here.
        self.decisions.decisions.truncate(self.applied_count);
        self.decisions.push(ClockDecision { before_offset, effect });
        self.applied_count = self.decisions.decisions.len();
        self.has_unsent_decisions = true;
    }

    /// Forgets the decisions that no kept checkpoint needs. `oldest_kept_offset` is the offset of the oldest of them.
    pub(super) fn forget_decisions_before(&mut self, oldest_kept_offset: Offset) {
        let before = self.decisions.decisions.len();
        self.decisions.forget_before(oldest_kept_offset);
        let forgotten = before - self.decisions.decisions.len();
        self.applied_count = self.applied_count.saturating_sub(forgotten);
        self.has_unsent_decisions |= forgotten > 0;
    }

    /// Hands decisions that the sink does not know to it. Must be called before each row that may depend on them.
    pub(super) fn hand_unsent_decisions_to(&mut self, sink: &mut impl Sink, fence_token: FenceToken) {
        if self.has_unsent_decisions {
            self.has_unsent_decisions = false;
            sink.set_clock_decisions(fence_token, &self.decisions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    struct TestClock(ClockReading);

    impl TestClock {
        fn at(second: u64) -> Self {
            Self(ClockReading {
                monotonic_now: Duration::from_secs(second),
                wall_now_ms: i64::try_from(second).unwrap_or(0) * 1_000,
            })
        }
    }

    fn accepts(clock: &mut PartitionClock, offset: Offset, time_ms: i64, second: u64) -> bool {
        clock.accepts_event_time(EventTime::from_ms(time_ms), offset, Some(HOUR_MS), || TestClock::at(second).0)
    }

    #[test]
    fn a_restart_refuses_and_accepts_the_same_records_although_the_clock_has_moved() {
        let mut first = PartitionClock::new(ClockDecisions::default(), Some(0), None, None);
        let records = [(0, 5_000, 10), (1, HOUR_MS + 50_000, 11), (2, HOUR_MS + 11_500, 12), (3, HOUR_MS + 20_000, 19)];
        let verdicts = records.map(|(offset, time_ms, second)| accepts(&mut first, offset, time_ms, second));
        assert_eq!(verdicts, [true, false, true, false]);
        // Rows of the records before offset 3 are written. Two hours later, everything would be accepted.
        let written_until = Some(LogPosition { offset: 3, leader_epoch: None });
        let mut second = PartitionClock::new(first.decisions, Some(0), written_until, None);
        let again = records.map(|(offset, time_ms, _)| {
            while second.next_known_advance(offset).is_some() {}
            accepts(&mut second, offset, time_ms, 7_200)
        });
        assert_eq!(again, [true, false, true, true]);
    }

    #[test]
    fn a_clock_that_is_set_back_refuses_nothing_that_was_accepted() {
        let mut clock = PartitionClock::new(ClockDecisions::default(), Some(0), None, None);
        assert!(accepts(&mut clock, 0, HOUR_MS + 9_000, 10));
        assert!(accepts(&mut clock, 1, HOUR_MS + 9_000, 2));
        assert!(!accepts(&mut clock, 2, HOUR_MS + 11_000, 3));
    }

    #[test]
    fn the_limit_rises_at_most_once_a_second() {
        let mut clock = PartitionClock::new(ClockDecisions::default(), Some(0), None, None);
        for offset in 0..10_000_i64 {
            let now = ClockReading { monotonic_now: Duration::from_millis(offset.unsigned_abs()), wall_now_ms: offset };
            clock.accepts_event_time(EventTime::from_ms(offset + HOUR_MS), offset, Some(HOUR_MS), || now);
        }
        assert_eq!(clock.decisions.decisions.len(), 10);
    }

    #[test]
    fn a_limit_that_is_switched_off_is_lifted() {
        let mut clock = PartitionClock::new(ClockDecisions::default(), Some(0), None, Some(EventTime::from_ms(5)));
        let unread = || unreachable!("the clock is not asked");
        assert!(clock.accepts_event_time(EventTime::from_ms(9), 0, None, unread));
        assert!(clock.accepts_event_time(EventTime::from_ms(9), 1, None, unread));
        assert_eq!(clock.decisions.decisions.len(), 1);
    }

    #[test]
    fn decisions_are_repeated_where_they_were_made() {
        let advance = |ms| ClockEffect::AdvanceWatermark(EventTime::from_ms(ms));
        let mut known = ClockDecisions::default();
        for (before_offset, effect) in [(3, advance(10)), (5, advance(20)), (9, advance(30))] {
            known.push(ClockDecision { before_offset, effect });
        }
        let written_until = Some(LogPosition { offset: 9, leader_epoch: None });
        let mut clock = PartitionClock::new(known, Some(5), written_until, None);
        assert_eq!(clock.next_known_advance(5), Some(EventTime::from_ms(20)));
        assert_eq!(clock.next_known_advance(5), None);
        assert!(!clock.has_caught_up(9), "the last decision is not applied");
        assert_eq!(clock.next_known_advance(9), Some(EventTime::from_ms(30)));
        assert!(clock.has_caught_up(9));
    }
}

//! The delivery of events: when each arrives, which are late, and which are malformed.
//!
//! Invariant: an event that is not late arrives at most `disorder_ms` after its event time. The event times of earlier
//! arrivals are at most that arrival, so the event is at most `disorder_ms` behind any of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::random::{Probability, RandomStream};
use crate::settings::GeneratorSettings;
use crate::shop::ShopClick;

/// Ranges for the age of a late event on arrival, in ms, with equal probability. An event of the first range is late for few
/// windows, one of the last for most.
const LATE_RANGES_MS: [(u32, u32); 3] = [(11_000, 60_000), (60_000, 600_000), (600_000, 7_200_000)];

/// An event that was sent and has not arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventInTransit {
    /// The time of arrival, in ms since the start.
    pub(crate) due_ms: u64,
    /// Orders arrivals in the same millisecond as they were sent.
    send_number: u64,
    /// Time from the event time to the arrival.
    pub(crate) age_ms: u32,
    pub(crate) click: ShopClick,
    pub(crate) malformed: bool,
}

#[derive(Debug)]
pub(crate) struct DeliverySimulator {
    random: RandomStream,
    /// The longest delay plus 1.
    delays_ms: u32,
    malformed: Probability,
    malformed_or_late: Probability,
    sent_count: u64,
    in_transit: BinaryHeap<EventInTransit>,
}

impl DeliverySimulator {
    pub(crate) fn new(settings: &GeneratorSettings, random: RandomStream) -> Self {
        let malformed = Probability::from_percent(settings.malformed_percent);
        Self {
            random,
            delays_ms: u32::try_from(settings.disorder_ms + 1).unwrap_or(1),
            malformed,
            malformed_or_late: malformed.plus(Probability::from_percent(settings.late_percent)),
            sent_count: 0,
            in_transit: BinaryHeap::new(),
        }
    }

    pub(crate) fn send(&mut self, click: ShopClick, now_ms: u64) {
        // The number of draws is always the same, so delays do not depend on which events are late or malformed.
        let delay_ms = self.random.draw_mostly_small(self.delays_ms);
        let fate = self.random.next_bits();
        let (band, within) = (self.random.draw_below(3), self.random.next_bits());
        let malformed = self.malformed.includes(fate);
        let age_ms = if !malformed && self.malformed_or_late.includes(fate) {
            let (from, to) = LATE_RANGES_MS[band as usize];
            (from + within % (to - from + 1)).max(self.delays_ms)
        } else {
            delay_ms
        };
        let due_ms = now_ms + u64::from(delay_ms);
        self.in_transit.push(EventInTransit { due_ms, send_number: self.sent_count, age_ms, click, malformed });
        self.sent_count += 1;
    }

    /// Returns the next arrival, if it is due by `now_ms`.
    pub(crate) fn take_arrived(&mut self, now_ms: u64) -> Option<EventInTransit> {
        if self.in_transit.peek()?.due_ms > now_ms { None } else { self.in_transit.pop() }
    }
}

impl EventInTransit {
    fn arrival_order(&self) -> (u64, u64) {
        (self.due_ms, self.send_number)
    }
}

/// Orders the first arrival as the greatest, because the heap returns the greatest first.
impl Ord for EventInTransit {
    fn cmp(&self, other: &Self) -> Ordering {
        other.arrival_order().cmp(&self.arrival_order())
    }
}

impl PartialOrd for EventInTransit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for EventInTransit {
    fn eq(&self, other: &Self) -> bool {
        self.arrival_order() == other.arrival_order()
    }
}

impl Eq for EventInTransit {}

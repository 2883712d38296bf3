//! The delivery of events: their times of arrival, and the choice of late and malformed events.
//!
//! Invariant: an event that is not late arrives at most `disorder_ms` after its event time. No earlier arrival has an
//! event time after its own arrival. So an event is at most `disorder_ms` behind the event time of any earlier arrival.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::random::{Probability, RandomStream};
use crate::settings::GeneratorSettings;
use crate::shop::ShopClick;

/// Ranges for the age of a late event on arrival, in ms, with equal probability. An event of the first range is late
/// for few windows, an event of the last range for most windows.
const LATE_EVENT_AGE_RANGES_MS: [(u32, u32); 3] = [(11_000, 60_000), (60_000, 600_000), (600_000, 7_200_000)];

/// An event that has been sent and has not arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventInTransit {
    /// The time of arrival, in ms since the start.
    pub(crate) arrival_ms: u64,
    /// The position of the event in the order of sending. It orders arrivals in the same millisecond.
    send_number: u64,
    /// Time from the event time to the arrival.
    pub(crate) age_on_arrival_ms: u32,
    pub(crate) click: ShopClick,
    pub(crate) is_malformed: bool,
}

#[derive(Debug)]
pub(crate) struct DeliverySimulator {
    random: RandomStream,
    /// The longest delay plus 1, in ms.
    exclusive_max_delay_ms: u32,
    malformed_probability: Probability,
    malformed_or_late_probability: Probability,
    sent_count: u64,
    in_transit: BinaryHeap<EventInTransit>,
}

impl DeliverySimulator {
    pub(crate) fn new(settings: &GeneratorSettings, random: RandomStream) -> Self {
        let malformed_probability = Probability::from_percent(settings.malformed_percent);
        Self {
            random,
            exclusive_max_delay_ms: u32::try_from(settings.disorder_ms + 1).unwrap_or(1),
            malformed_probability,
            malformed_or_late_probability: malformed_probability.plus(Probability::from_percent(settings.late_percent)),
            sent_count: 0,
            in_transit: BinaryHeap::new(),
        }
    }

    pub(crate) fn send_click(&mut self, click: ShopClick, now_ms: u64) {
        // The number of draws is always the same. So the delays do not depend on the choice of late and malformed
        // events.
        let delay_ms = self.random.draw_mostly_small(self.exclusive_max_delay_ms);
        let fate = self.random.next_bits();
        let (band, within) = (self.random.draw_below(3), self.random.next_bits());
        let malformed = self.malformed_probability.includes_draw(fate);
        let age_ms = if !malformed && self.malformed_or_late_probability.includes_draw(fate) {
            let (from, to) = LATE_EVENT_AGE_RANGES_MS[band as usize];
            (from + within % (to - from + 1)).max(self.exclusive_max_delay_ms)
        } else {
            delay_ms
        };
        let due_ms = now_ms + u64::from(delay_ms);
        self.in_transit.push(EventInTransit {
            arrival_ms: due_ms,
            send_number: self.sent_count,
            age_on_arrival_ms: age_ms,
            click,
            is_malformed: malformed,
        });
        self.sent_count += 1;
    }

    /// Returns the next event that has arrived by `now_ms`, or `None` where no event has arrived.
    pub(crate) fn take_next_arrived(&mut self, now_ms: u64) -> Option<EventInTransit> {
        if self.in_transit.peek()?.arrival_ms > now_ms { None } else { self.in_transit.pop() }
    }
}

impl EventInTransit {
    fn arrival_order(&self) -> (u64, u64) {
        (self.arrival_ms, self.send_number)
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

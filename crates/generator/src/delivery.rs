//! Simulates the delivery of events: decides when each event arrives, and which events are late or malformed.
//!
//! Invariant: if an event is not late, its event time is at most `disorder_ms` before the event time of every event
//! that arrived earlier. The first reason: an event that is not late arrives at most `disorder_ms` after its event
//! time. The second reason: no event has an event time after its arrival.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::random::{Probability, RandomStream};
use crate::settings::GeneratorSettings;
use crate::shop::ShopClick;

/// The ranges of a late event's age on arrival, in ms. The age is the time of arrival minus the event time. All three
/// ranges are equally likely. When an event with an age in the first range arrives, few of its windows have closed.
/// When an event with an age in the last range arrives, most of its windows have closed.
const LATE_EVENT_AGE_RANGES_MS: [(u32, u32); 3] = [(11_000, 60_000), (60_000, 600_000), (600_000, 7_200_000)];

/// An event that has been sent but has not arrived yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventInTransit {
    /// The time of arrival, in ms since the start of the stream.
    pub(crate) arrival_ms: u64,
    /// The number of events that were sent before this event. If several events arrive in the same millisecond, the
    /// event with the smallest send number comes first.
    send_number: u64,
    /// The time of arrival minus the event time, in ms.
    pub(crate) age_on_arrival_ms: u32,
    pub(crate) click: ShopClick,
    /// Whether the payload of the event will be malformed.
    pub(crate) is_malformed: bool,
}

/// Simulates the delivery of events.
#[derive(Debug)]
pub(crate) struct DeliverySimulator {
    random: RandomStream,
    /// The limit of the age on arrival, in ms. The age of a late event is this limit or more. The age of every other
    /// event is below this limit.
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

    /// Sends the event of `click`. The click happens at `now_ms`, in ms since the start of the stream. Draws the delay
    /// of the event, and whether the event is late or malformed.
    pub(crate) fn send_click(&mut self, click: ShopClick, now_ms: u64) {
        // The number of random draws per event is always the same, even if some draws have no effect. So a change of
        // the percentages of late and malformed events changes no delay.
        let delay_ms = self.random.draw_mostly_small(self.exclusive_max_delay_ms);
        let fate = self.random.next_u32();
        let (band, within) = (self.random.draw_below(3), self.random.next_u32());
        let malformed = self.malformed_probability.happens_for_bits(fate);
        let age_ms = if !malformed && self.malformed_or_late_probability.happens_for_bits(fate) {
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

    /// Removes and returns the event that arrives first; `None` if all events in transit arrive after `now_ms`.
    pub(crate) fn take_next_arrived(&mut self, now_ms: u64) -> Option<EventInTransit> {
        if self.in_transit.peek()?.arrival_ms > now_ms { None } else { self.in_transit.pop() }
    }
}

impl EventInTransit {
    /// Returns the time of arrival and the send number. Events arrive in the ascending order of these two numbers.
    fn arrival_order_key(&self) -> (u64, u64) {
        (self.arrival_ms, self.send_number)
    }
}

/// The order is reversed: the event that arrives first is the greatest, because a `BinaryHeap` returns its greatest
/// entry first.
impl Ord for EventInTransit {
    fn cmp(&self, other: &Self) -> Ordering {
        other.arrival_order_key().cmp(&self.arrival_order_key())
    }
}

impl PartialOrd for EventInTransit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for EventInTransit {
    fn eq(&self, other: &Self) -> bool {
        self.arrival_order_key() == other.arrival_order_key()
    }
}

impl Eq for EventInTransit {}

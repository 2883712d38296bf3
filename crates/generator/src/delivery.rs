//! How events travel: which arrive when, which are late, which get broken on the way.
//!
//! Invariant: an event that is not late arrives at most `disorder_ms` after its event time. Whatever arrived before it
//! has an event time of at most that arrival, so it is at most `disorder_ms` behind any of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::dice::{Probability, RandomStream};
use crate::settings::GeneratorSettings;
use crate::shop::ShopClick;

/// How far the event time of a late event lies before its arrival in ms: one of these ranges, each as likely. The
/// first is late for few windows, the last for most.
const LATE_RANGES_MS: [(u32, u32); 3] = [(11_000, 60_000), (60_000, 600_000), (600_000, 7_200_000)];

/// An event on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventInTransit {
    /// When it arrives, in ms since the start.
    pub(crate) due_ms: u64,
    /// Settles the order of those that arrive in the same millisecond, as it was sent.
    send_number: u64,
    /// How far its event time lies before its arrival.
    pub(crate) age_ms: u32,
    pub(crate) click: ShopClick,
    pub(crate) malformed: bool,
}

#[derive(Debug)]
pub(crate) struct DeliverySimulator {
    random: RandomStream,
    /// One more than the longest delay.
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
        // Always the same number of draws: who is delayed must not depend on who is late or malformed.
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

    /// The next to arrive, if it is due at this moment.
    pub(crate) fn take_arrived(&mut self, now_ms: u64) -> Option<EventInTransit> {
        if self.in_transit.peek()?.due_ms > now_ms { None } else { self.in_transit.pop() }
    }
}

impl EventInTransit {
    fn arrival_order(&self) -> (u64, u64) {
        (self.due_ms, self.send_number)
    }
}

/// The first to arrive is the greatest, as the heap wants it.
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

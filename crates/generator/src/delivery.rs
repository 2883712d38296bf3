//! How events travel: which arrive when, which are late, which get broken on the way.
//!
//! Invariant: an event that is not late arrives at most `disorder_ms` after its event time. Whatever arrived before it
//! has an event time of at most that arrival, so it is at most `disorder_ms` behind any of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::dice::{Dice, Share};
use crate::settings::Settings;
use crate::shop::Click;

/// How far the event time of a late event lies before its arrival in ms: one of these ranges, each as likely. The
/// first is late for few windows, the last for most.
const LATE_MS: [(u32, u32); 3] = [(11_000, 60_000), (60_000, 600_000), (600_000, 7_200_000)];

/// An event on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// When it arrives, in ms since the start.
    pub(crate) due_ms: u64,
    /// Settles the order of those that arrive in the same millisecond, as it was sent.
    number: u64,
    /// How far its event time lies before its arrival.
    pub(crate) age_ms: u32,
    pub(crate) click: Click,
    pub(crate) malformed: bool,
}

#[derive(Debug)]
pub(crate) struct Delivery {
    dice: Dice,
    /// One more than the longest delay.
    delays_ms: u32,
    malformed: Share,
    malformed_or_late: Share,
    sent: u64,
    on_its_way: BinaryHeap<Sent>,
}

impl Delivery {
    pub(crate) fn new(settings: &Settings, dice: Dice) -> Self {
        let malformed = Share::percent(settings.malformed_percent);
        Self {
            dice,
            delays_ms: u32::try_from(settings.disorder_ms + 1).unwrap_or(1),
            malformed,
            malformed_or_late: malformed.plus(Share::percent(settings.late_percent)),
            sent: 0,
            on_its_way: BinaryHeap::new(),
        }
    }

    pub(crate) fn send(&mut self, click: Click, now_ms: u64) {
        // Always the same number of draws: who is delayed must not depend on who is late or malformed.
        let delay_ms = self.dice.mostly_small(self.delays_ms);
        let fate = self.dice.bits();
        let (band, within) = (self.dice.below(3), self.dice.bits());
        let malformed = self.malformed.includes(fate);
        let age_ms = if !malformed && self.malformed_or_late.includes(fate) {
            let (from, to) = LATE_MS[band as usize];
            (from + within % (to - from + 1)).max(self.delays_ms)
        } else {
            delay_ms
        };
        let due_ms = now_ms + u64::from(delay_ms);
        self.on_its_way.push(Sent { due_ms, number: self.sent, age_ms, click, malformed });
        self.sent += 1;
    }

    /// The next to arrive, if it is due at this moment.
    pub(crate) fn arrive(&mut self, now_ms: u64) -> Option<Sent> {
        if self.on_its_way.peek()?.due_ms > now_ms { None } else { self.on_its_way.pop() }
    }
}

impl Sent {
    fn rank(&self) -> (u64, u64) {
        (self.due_ms, self.number)
    }
}

/// The first to arrive is the greatest, as the heap wants it.
impl Ord for Sent {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl PartialOrd for Sent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sent {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Sent {}

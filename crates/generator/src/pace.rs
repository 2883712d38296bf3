//! The times of clicks: click `i` happens at a random time within the `i`-th slot of `1 / rate` seconds. So the rate is exact
//! at all times, and times are not round.

use crate::random::RandomStream;

#[derive(Debug)]
pub(crate) struct ClickPace {
    random: RandomStream,
    /// Events per second.
    rate: f64,
    slot: u64,
    slot_ms: u64,
}

impl ClickPace {
    pub(crate) fn new(rate: f64, random: RandomStream) -> Self {
        Self { random, rate, slot: 0, slot_ms: 0 }
    }

    /// Returns the time of the next click, in ms since the start. The first one happens at 0.
    pub(crate) fn next_click_ms(&mut self) -> u64 {
        let from_ms = self.slot_ms;
        self.slot += 1;
        self.slot_ms = slot_ms(self.slot, self.rate);
        if self.slot == 1 {
            return 0;
        }
        let length_ms = u32::try_from(self.slot_ms - from_ms).unwrap_or(u32::MAX);
        from_ms + u64::from(self.random.draw_below(length_ms))
    }
}

/// Returns the start of a slot, computed from its number so that rounding errors do not add up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative; the fraction of a ms is meant to go"
)]
fn slot_ms(slot: u64, rate: f64) -> u64 {
    (slot as f64 * 1000.0 / rate) as u64
}

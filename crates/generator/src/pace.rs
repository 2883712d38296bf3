//! When clicks happen: click `i` within the `i`-th slot of `1 / rate` seconds, anywhere in it, so that the rate is exact
//! at every moment and times are not all round.

use crate::dice::RandomStream;

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

    /// When the next click happens, in ms since the start; the first one does at 0.
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

/// When a slot begins. From its number, not from the slot before: rounding does not add up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative; the fraction of a ms is meant to go"
)]
fn slot_ms(slot: u64, rate: f64) -> u64 {
    (slot as f64 * 1000.0 / rate) as u64
}

//! The times of clicks. Click `i` happens at a random time within the `i`-th slot of `1 / rate` seconds. So the rate is
//! exact over any number of slots, and times are not round.

use crate::random::RandomStream;

#[derive(Debug)]
pub(crate) struct ClickPace {
    random: RandomStream,
    /// Events per second.
    events_per_second: f64,
    slot_number: u64,
    slot_start_ms: u64,
}

impl ClickPace {
    pub(crate) fn new(events_per_second: f64, random: RandomStream) -> Self {
        Self { random, events_per_second, slot_number: 0, slot_start_ms: 0 }
    }

    /// Returns the time of the next click, in ms since the start. The first click happens at 0.
    pub(crate) fn next_click_ms(&mut self) -> u64 {
        let from_ms = self.slot_start_ms;
        self.slot_number += 1;
        self.slot_start_ms = compute_slot_start_ms(self.slot_number, self.events_per_second);
        if self.slot_number == 1 {
            return 0;
        }
        let length_ms = u32::try_from(self.slot_start_ms - from_ms).unwrap_or(u32::MAX);
        from_ms + u64::from(self.random.draw_below(length_ms))
    }
}

/// Returns the start of a slot in ms. The start is computed from the slot's number, so that rounding errors do not add
/// up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative; the fraction of a ms is meant to go"
)]
fn compute_slot_start_ms(slot: u64, rate: f64) -> u64 {
    (slot as f64 * 1000.0 / rate) as u64
}

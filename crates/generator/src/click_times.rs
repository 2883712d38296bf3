//! Decides when clicks happen. The time is divided into slots of equal length, and one click happens at a random time
//! in each slot. So the number of clicks per second is exact, but the time between two clicks varies.

use crate::random::RandomStream;

/// Draws the time of each click.
#[derive(Debug)]
pub(crate) struct ClickTimes {
    random: RandomStream,
    events_per_second: f64,
    slot_number: u64,
    slot_start_ms: u64,
}

impl ClickTimes {
    pub(crate) fn new(events_per_second: f64, random: RandomStream) -> Self {
        Self { random, events_per_second, slot_number: 0, slot_start_ms: 0 }
    }

    /// Draws the time of the next click, in ms since the start of the stream. The time of the first click is always 0.
    pub(crate) fn draw_next_click_ms(&mut self) -> u64 {
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

/// Returns the start of the slot `slot_number`, in ms since the start of the stream. The start is computed from the
/// number instead of the previous start, so rounding errors do not add up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither value is negative, and fractions of a ms are dropped on purpose"
)]
fn compute_slot_start_ms(slot_number: u64, events_per_second: f64) -> u64 {
    (slot_number as f64 * 1000.0 / events_per_second) as u64
}

//! The only source of chance in a simulation: one seed decides everything.

use std::time::Duration;

/// A generator of random numbers (SplitMix64). The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct SeededRandom {
    state: u64,
}

impl SeededRandom {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub(crate) const fn number_below(&mut self, end: u64) -> u64 {
        let number = self.next_u64();
        if end == 0 { 0 } else { number % end }
    }

    /// Returns an index into a list of `length` elements.
    pub(crate) fn index_below(&mut self, length: usize) -> usize {
        usize::try_from(self.number_below(length as u64)).unwrap_or(0)
    }

    /// Returns true with the probability `per_mille` / 1000.
    pub(crate) const fn happens(&mut self, per_mille: u64) -> bool {
        self.number_below(1_000) < per_mille
    }

    /// Returns a duration of `shortest` or more, and less than `longest`.
    pub(crate) fn duration_between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let range = longest.saturating_sub(shortest);
        shortest + Duration::from_micros(self.number_below(u64::try_from(range.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let mut random = SeededRandom::new(0);
        assert_eq!([random.next_u64(), random.next_u64()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    }
}

//! Generates streams of random numbers from a seed, and draws from several distributions.
//!
//! Invariant: the same seed gives the same draws on every platform and in every version. For this reason, the random
//! numbers come from xoshiro256++, whose output is specified, and draws use integer arithmetic. The log-normal
//! distribution is a table, because results of `exp` differ between platforms.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A probability in units of 2⁻³². The value 2³² is the probability 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Probability(u64);

impl Probability {
    /// Creates a probability from a percentage between 0 and 100.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the result is 0 to 2³², and fractions are dropped on purpose"
    )]
    pub(crate) const fn from_percent(percent: f64) -> Self {
        Self((percent / 100.0 * 4_294_967_296.0) as u64)
    }

    /// Returns the sum of two probabilities. The sum must be at most 100 %.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Returns whether the fraction `bits` / 2³² is below this probability. If `bits` are 32 random bits, the result is
    /// `true` with this probability.
    pub(crate) fn happens_for_bits(self, bits: u32) -> bool {
        u64::from(bits) < self.0
    }
}

/// The boundaries of 64 equally likely slices of a log-normal distribution with a sigma of 1. The unit is 1/1024 of the
/// mean of the distribution. The lowest and the highest 0.4 % of the distribution are cut off.
const LOG_NORMAL_BOUNDARIES: [u32; 65] = [
    44, 73, 98, 118, 136, 153, 169, 184, 199, 214, 229, 244, 259, 274, 290, 305, 321, 337, 353, 369, 386, 403, 421,
    439, 458, 477, 497, 517, 538, 560, 582, 605, 630, 655, 681, 708, 737, 767, 798, 831, 866, 903, 941, 983, 1027,
    1073, 1124, 1178, 1236, 1299, 1369, 1445, 1529, 1623, 1729, 1849, 1989, 2154, 2352, 2599, 2920, 3365, 4056, 5426,
    8930,
];

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// Derives `N` streams from one seed. The streams do not overlap within the first 2¹²⁸ draws of each stream.
    pub(crate) fn derive_streams_from_seed<const N: usize>(seed: u64) -> [Self; N] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        std::array::from_fn(|_| {
            let stream = Self(rng.clone());
            rng.jump();
            stream
        })
    }

    /// Returns the next 32 random bits as a number.
    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Draws `true` with the given probability, and `false` otherwise.
    pub(crate) fn draw_bool(&mut self, probability: Probability) -> bool {
        probability.happens_for_bits(self.next_u32())
    }

    /// Draws uniformly from `0..n`. Returns 0 if `n` is 0.
    pub(crate) fn draw_below(&mut self, n: u32) -> u32 {
        multiply_by_fraction(self.next_u32(), n)
    }

    /// Draws from `0..n`. Small numbers are more likely than large numbers, because the result is `n` multiplied by two
    /// uniformly drawn fractions.
    pub(crate) fn draw_mostly_small(&mut self, n: u32) -> u32 {
        let (a, b) = (self.next_u32(), self.next_u32());
        multiply_by_fraction(multiply_by_fraction(a, b), n)
    }

    /// Draws from `0..n` by a power law. The result is `n` multiplied by the fourth power of a uniformly drawn
    /// fraction. So 32 % of the results are in the lowest 1 % of the range, and 18 % are in the lowest 0.1 %.
    pub(crate) fn draw_power_law(&mut self, n: u32) -> u32 {
        let bits = self.next_u32();
        let square = multiply_by_fraction(bits, bits);
        multiply_by_fraction(multiply_by_fraction(square, square), n)
    }

    /// Draws from a log-normal distribution with the mean `mean`. Most results are below the mean. No result is above
    /// nine times the mean.
    pub(crate) fn draw_log_normal(&mut self, mean: u32) -> u32 {
        let bits = self.next_u32();
        let slice = (bits >> 26) as usize;
        let (low, high) = (LOG_NORMAL_BOUNDARIES[slice], LOG_NORMAL_BOUNDARIES[slice + 1]);
        let within = u64::from(bits & 0x03ff_ffff);
        let factor = (u64::from(low) << 26) + u64::from(high - low) * within;
        u32::try_from(((factor >> 10) * u64::from(mean)) >> 26).unwrap_or(u32::MAX)
    }

    /// Returns one of `choices`. All choices are equally likely.
    pub(crate) fn pick_one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.draw_index(choices.len())]
    }

    /// Draws uniformly from `0..len`.
    pub(crate) fn draw_index(&mut self, len: usize) -> usize {
        self.draw_below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
    }
}

/// Returns `n` × `bits` / 2³², rounded down.
fn multiply_by_fraction(bits: u32, n: u32) -> u32 {
    ((u64::from(bits) * u64::from(n)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> RandomStream {
        let [random] = RandomStream::derive_streams_from_seed(1);
        random
    }

    #[test]
    fn log_normal_draws_have_the_mean_asked_for_and_a_long_tail() {
        let mut random = random();
        let mut draws: Vec<u32> = (0..100_000).map(|_| random.draw_log_normal(35_000)).collect();
        draws.sort_unstable();
        let mean = draws.iter().map(|&draw| u64::from(draw)).sum::<u64>() / 100_000;
        assert!((34_000..36_000).contains(&mean), "mean {mean}");
        assert!((19_000..24_000).contains(&draws[50_000]), "median {}", draws[50_000]);
        assert!(draws[0] >= 1_500 && draws[99_999] <= 35_000 * 9, "{} to {}", draws[0], draws[99_999]);
    }

    #[test]
    fn the_power_law_favours_the_first_but_reaches_the_last() {
        let mut random = random();
        let draws: Vec<u32> = (0..100_000).map(|_| random.draw_power_law(1_000)).collect();
        let first = draws.iter().filter(|&&draw| draw < 10).count();
        assert!((30_000..33_500).contains(&first), "{first} of 100,000 in the first percent");
        assert_eq!(draws.iter().max(), Some(&999));
    }

    #[test]
    fn shares_reach_from_never_to_always() {
        assert!(!Probability::from_percent(0.0).happens_for_bits(0));
        assert!(Probability::from_percent(100.0).happens_for_bits(u32::MAX));
        assert!(
            Probability::from_percent(50.0).happens_for_bits((1 << 31) - 1)
                && !Probability::from_percent(50.0).happens_for_bits(1 << 31)
        );
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let [mut a, mut b] = RandomStream::derive_streams_from_seed(9);
        assert_ne!((a.next_u32(), a.next_u32()), (b.next_u32(), b.next_u32()));
    }
}

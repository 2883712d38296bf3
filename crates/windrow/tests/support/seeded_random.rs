//! Random numbers of tests that print their seed.

/// A xorshift generator for tests that print their seed.
pub(crate) struct SeededRandom(u64);

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number of at least `from` and less than `to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + (self.0 >> 11) % (to - from)
    }
}

/// Reads the seed from the environment or makes a new one, and prints it.
pub(crate) fn read_or_create_seed() -> u64 {
    let asked = std::env::var("WINDROW_SEED").ok();
    let seed =
        asked.map_or_else(|| u64::from(std::process::id()), |seed| seed.parse().expect("WINDROW_SEED is a number"));
    println!("seed {seed} (WINDROW_SEED)");
    seed
}

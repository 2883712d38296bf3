//! The settings of the generator, and their limits.

use thiserror::Error;

/// The largest number of users. Each user takes 12 bytes during the generator's lifetime.
pub const MAX_USERS: u32 = 100_000_000;
/// The lowest rate in events per second of event time: one event in 1,000 s.
pub const MIN_RATE: f64 = 0.001;
/// The highest rate in events per second of event time: 10,000 events in one millisecond, the resolution of event time.
pub const MAX_RATE: f64 = 10_000_000.0;
/// The longest disorder: 24 hours.
pub const MAX_DISORDER_MS: i64 = 24 * 60 * 60 * 1000;
/// The earliest start: 0001-01-02T00:00:00. Late events before it still have a year of four digits.
pub const MIN_START_MS: i64 = -62_135_510_400_000;
/// The latest start: 9000-01-01T00:00:00. A thousand years of events after it still have a year of four digits.
pub const MAX_START_MS: i64 = 221_845_392_000_000;

/// The events to generate. The same settings give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratorSettings {
    /// Number of distinct users, 1 to [`MAX_USERS`]. Users are called `u1` (the most active) to `u{users}`.
    pub users: u32,
    /// The seed of all randomness.
    pub seed: u64,
    /// Event time of the first event in epoch ms, [`MIN_START_MS`] to [`MAX_START_MS`].
    pub start_ms: i64,
    /// Events per second of event time. Event `i` happens `i / rate` to `(i + 1) / rate` seconds after the start. The
    /// rate is [`MIN_RATE`] to [`MAX_RATE`].
    pub rate: f64,
    /// The longest time from an event to its arrival in ms, 0 to [`MAX_DISORDER_MS`]. With 0, events arrive in order.
    pub disorder_ms: i64,
    /// Percentage of events whose event time is 11 s to 2 h before their arrival, 0 to 100. A late event always arrives
    /// later than the disorder alone allows.
    pub late_percent: f64,
    /// Percentage of events with a malformed payload, 0 to 100.
    pub malformed_percent: f64,
}

/// The default: 200,000 users at 500 events per second from 2024-01-01T00:00:00 on, with seed 0, in order, no event
/// late or malformed.
impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            users: 200_000,
            seed: 0,
            start_ms: 1_704_067_200_000,
            rate: 500.0,
            disorder_ms: 0,
            late_percent: 0.0,
            malformed_percent: 0.0,
        }
    }
}

/// The error for a setting outside its limits, with the value of the setting.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GeneratorSettingsError {
    /// The number of users is 0 or above [`MAX_USERS`].
    #[error("{0} users cannot be generated: give a number from 1 to {MAX_USERS}")]
    Users(u32),
    /// The start is outside [`MIN_START_MS`] to [`MAX_START_MS`].
    #[error("a start at {0} ms since the epoch is out of range: give a time between the years 1 and 9000")]
    Start(i64),
    /// The rate is not a number, or outside [`MIN_RATE`] to [`MAX_RATE`].
    #[error("a rate of {0} events per second is out of range: give a number from {MIN_RATE} to {MAX_RATE}")]
    Rate(f64),
    /// The disorder is below 0 or above [`MAX_DISORDER_MS`].
    #[error("a disorder of {0} ms is out of range: give 0 to {MAX_DISORDER_MS} ms (24 hours)")]
    Disorder(i64),
    /// The percentage of late events is not a number, or outside 0 to 100.
    #[error("{0} % late events cannot be generated: give a percentage from 0 to 100")]
    Late(f64),
    /// The percentage of malformed events is not a number, or outside 0 to 100.
    #[error("{0} % malformed events cannot be generated: give a percentage from 0 to 100")]
    Malformed(f64),
    /// The percentages of late and malformed events exceed 100 together. A late event is never also malformed.
    #[error(
        "{late} % late and {malformed} % malformed events are more than all events together: \
         give percentages whose sum is at most 100"
    )]
    Shares {
        /// The given `late_percent`.
        late: f64,
        /// The given `malformed_percent`.
        malformed: f64,
    },
}

impl GeneratorSettings {
    pub(crate) fn validate(&self) -> Result<(), GeneratorSettingsError> {
        let percent = 0.0..=100.0;
        if !(1..=MAX_USERS).contains(&self.users) {
            Err(GeneratorSettingsError::Users(self.users))
        } else if !(MIN_START_MS..=MAX_START_MS).contains(&self.start_ms) {
            Err(GeneratorSettingsError::Start(self.start_ms))
        } else if !(MIN_RATE..=MAX_RATE).contains(&self.rate) {
            Err(GeneratorSettingsError::Rate(self.rate))
        } else if !(0..=MAX_DISORDER_MS).contains(&self.disorder_ms) {
            Err(GeneratorSettingsError::Disorder(self.disorder_ms))
        } else if !percent.contains(&self.late_percent) {
            Err(GeneratorSettingsError::Late(self.late_percent))
        } else if !percent.contains(&self.malformed_percent) {
            Err(GeneratorSettingsError::Malformed(self.malformed_percent))
        } else if self.late_percent + self.malformed_percent > 100.0 {
            Err(GeneratorSettingsError::Shares { late: self.late_percent, malformed: self.malformed_percent })
        } else {
            Ok(())
        }
    }
}

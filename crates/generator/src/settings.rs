//! The settings of the event generator, and their limits.

use thiserror::Error;

/// The maximum number of users. Each user takes 12 bytes of memory.
pub const MAX_USERS: u32 = 100_000_000;
/// The minimum number of events per second of event time: one event in 1,000 s.
pub const MIN_EVENTS_PER_SECOND: f64 = 0.001;
/// The maximum number of events per second of event time: 10,000 events in each millisecond.
pub const MAX_EVENTS_PER_SECOND: f64 = 10_000_000.0;
/// The maximum of `disorder_ms`: 24 hours.
pub const MAX_DISORDER_MS: i64 = 24 * 60 * 60 * 1000;
/// The minimum of `start_ms`: 0001-01-02T00:00:00. With this limit, even the event times of late events have a year of
/// four digits.
pub const MIN_START_MS: i64 = -62_135_510_400_000;
/// The maximum of `start_ms`: 9000-01-01T00:00:00. With this limit, the event times of the first 999 years of the
/// stream have a year of four digits.
pub const MAX_START_MS: i64 = 221_845_392_000_000;

/// The settings of an [`EventGenerator`](crate::EventGenerator). Generators with the same settings generate the same
/// bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratorSettings {
    /// The number of users, 1 to [`MAX_USERS`]. The user `u1` is the most active one.
    pub user_count: u32,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The event time of the first event in epoch ms, [`MIN_START_MS`] to [`MAX_START_MS`].
    pub start_ms: i64,
    /// The number of events per second of event time, [`MIN_EVENTS_PER_SECOND`] to [`MAX_EVENTS_PER_SECOND`].
    pub events_per_second: f64,
    /// The longest time between the event time and the arrival of an event that is not late, in ms, 0 to
    /// [`MAX_DISORDER_MS`]. With a disorder of 0 and no late events, events arrive in the order of their event times.
    pub disorder_ms: i64,
    /// The percentage of late events, 0 to 100. A late event arrives 11 s to 2 h after its event time, but at least
    /// `disorder_ms` + 1 ms after its event time.
    pub late_percent: f64,
    /// The percentage of events with a malformed payload, 0 to 100.
    pub malformed_percent: f64,
}

/// The default settings: 200,000 users, 500 events per second, a start at 2024-01-01T00:00:00, and the seed 0. Events
/// arrive in the order of their event times. No event is late or malformed.
impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            user_count: 200_000,
            seed: 0,
            start_ms: 1_704_067_200_000,
            events_per_second: 500.0,
            disorder_ms: 0,
            late_percent: 0.0,
            malformed_percent: 0.0,
        }
    }
}

/// A setting that is outside its limits, with its value.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GeneratorSettingsError {
    /// `user_count` is 0 or above [`MAX_USERS`].
    #[error("{0} users are out of range: give a number from 1 to {MAX_USERS}")]
    Users(u32),
    /// `start_ms` is outside [`MIN_START_MS`] to [`MAX_START_MS`].
    #[error("a start at {0} ms since the epoch is out of range: give a time between the years 1 and 9000")]
    Start(i64),
    /// `events_per_second` is NaN or outside [`MIN_EVENTS_PER_SECOND`] to [`MAX_EVENTS_PER_SECOND`].
    #[error(
        "a rate of {0} events per second is out of range: give a number from {MIN_EVENTS_PER_SECOND} to {MAX_EVENTS_PER_SECOND}"
    )]
    Rate(f64),
    /// `disorder_ms` is below 0 or above [`MAX_DISORDER_MS`].
    #[error("a disorder of {0} ms is out of range: give 0 to {MAX_DISORDER_MS} ms (24 hours)")]
    Disorder(i64),
    /// `late_percent` is NaN or outside 0 to 100.
    #[error("{0} % late events are out of range: give a percentage from 0 to 100")]
    Late(f64),
    /// `malformed_percent` is NaN or outside 0 to 100.
    #[error("{0} % malformed events are out of range: give a percentage from 0 to 100")]
    Malformed(f64),
    /// The sum of `late_percent` and `malformed_percent` is above 100. This is impossible, because no event is both
    /// late and malformed.
    #[error(
        "{late} % late and {malformed} % malformed events are more than 100 % together: \
         give percentages whose sum is at most 100"
    )]
    Shares {
        /// The value of `late_percent`.
        late: f64,
        /// The value of `malformed_percent`.
        malformed: f64,
    },
}

impl GeneratorSettings {
    /// Returns an error if a setting is outside its limits.
    pub(crate) fn validate(&self) -> Result<(), GeneratorSettingsError> {
        let percent = 0.0..=100.0;
        if !(1..=MAX_USERS).contains(&self.user_count) {
            Err(GeneratorSettingsError::Users(self.user_count))
        } else if !(MIN_START_MS..=MAX_START_MS).contains(&self.start_ms) {
            Err(GeneratorSettingsError::Start(self.start_ms))
        } else if !(MIN_EVENTS_PER_SECOND..=MAX_EVENTS_PER_SECOND).contains(&self.events_per_second) {
            Err(GeneratorSettingsError::Rate(self.events_per_second))
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

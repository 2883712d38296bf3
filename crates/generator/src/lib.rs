//! Believable e-commerce events without end: the library behind `windrow generate`.
//!
//! Owns: who shops when, what they look at and buy, the order in which their events arrive, which of them are late or
//! malformed, and the bytes of each event. Does not own: where the bytes go, the wall clock, pacing, the command line
//! (the binary).
//!
//! Invariants:
//! 1. The same [`GeneratorSettings`] give the same bytes, on any machine and in any later run. All chance comes from seeded
//!    xoshiro256++ streams, arithmetic is on integers or on the IEEE-exact operations of floats (no `ln`, `exp`, `pow`).
//! 2. [`GeneratedEvent::due_ms`] never decreases.
//! 3. The event time of an event that is neither late nor malformed is never more than `disorder_ms` below the
//!    largest event time sent before it.
//! 4. Shopping does not depend on delivery: other values of `disorder_ms`, `late_percent` and `malformed_percent`
//!    leave who clicks on what, and in which order they do, as it is.
//! 5. Nothing is allocated per event; memory is O(users) + O(rate × disorder).
//!
//! ```
//! use windrow_generator::{Generator, Settings};
//!
//! let settings = Settings { users: 500, seed: 7, start_ms: 1_704_103_200_000, rate: 20.0, ..Settings::default() };
//! let mut generator = Generator::new(settings)?;
//! let event = generator.next();
//! assert_eq!(event.due_ms, 1_704_103_200_000);
//! assert!(event.payload.starts_with(br#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"u"#));
//! # Ok::<(), windrow_generator::SettingsError>(())
//! ```

mod catalogue;
mod crowd;
mod delivery;
mod dice;
mod flaws;
mod generator;
mod pace;
mod payload;
mod rhythm;
mod settings;
mod shop;

pub use generator::{EventGenerator, GeneratedEvent};
pub use settings::{
    GeneratorSettings, GeneratorSettingsError, MAX_DISORDER_MS, MAX_RATE, MAX_START_MS, MAX_USERS, MIN_RATE,
    MIN_START_MS,
};

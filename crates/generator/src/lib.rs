//! An endless stream of plausible e-commerce events: the library behind `windrow generate`.
//!
//! An [`EventGenerator`] simulates a shop. Users start sessions, view products, fill carts and purchase. Each click is
//! delivered with a delay, and becomes a JSON payload. All randomness comes from the seed in [`GeneratorSettings`].
//!
//! ```text
//!   GeneratorSettings (seed)
//!        │
//!        ▼
//!   ClickPace ──► ShopSimulator ──► DeliverySimulator ──► PayloadParts ──► GeneratedEvent
//!   when           which user        when it arrives,      JSON bytes,
//!                  clicks on what    late or not           malformed or not
//!                    │
//!                    ├─ UserPool: which user starts a session
//!                    ├─ ShoppingRhythms: pauses and lengths of sessions
//!                    └─ ProductCatalogue: products and prices
//! ```
//!
//! Owns: the behaviour of users, the order in which events arrive, the choice of late and malformed events, and the
//! bytes of each event. Does not own: the destination of the bytes, the wall clock, pacing, the command line (the
//! binary).
//!
//! Invariants:
//! 1. The same [`GeneratorSettings`] give the same bytes, on any machine and in any later run. All randomness comes from seeded
//!    xoshiro256++ streams. Arithmetic is on integers, or uses the IEEE-exact operations of floats (no `ln`, `exp`, `pow`).
//! 2. [`GeneratedEvent::arrival_ms`] never decreases.
//! 3. The event time of an event that is neither late nor malformed is never more than `disorder_ms` below the
//!    largest event time sent before it.
//! 4. Shopping does not depend on delivery: `disorder_ms`, `late_percent` and `malformed_percent` do not change the clicks
//!    or their order.
//! 5. Nothing is allocated per event; memory is O(users) + O(rate × disorder).
//!
//! Read first: [`generator.rs`](../src/windrow_generator/generator.rs.html), the loop;
//! [`shop.rs`](../src/windrow_generator/shop.rs.html), the sessions;
//! [`delivery.rs`](../src/windrow_generator/delivery.rs.html), disorder and lateness.
//!
//! ```
//! use windrow_generator::{EventGenerator, GeneratorSettings};
//!
//! let settings =
//!     GeneratorSettings { users: 500, seed: 7, start_ms: 1_704_103_200_000, rate: 20.0, ..GeneratorSettings::default() };
//! let mut generator = EventGenerator::new(settings)?;
//! let event = generator.next();
//! assert_eq!(event.arrival_ms, 1_704_103_200_000);
//! assert!(event.payload.starts_with(br#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"u"#));
//! # Ok::<(), windrow_generator::GeneratorSettingsError>(())
//! ```

mod catalogue;
mod delivery;
mod generator;
mod malformed;
mod pace;
mod payload;
mod random;
mod rhythm;
mod settings;
mod shop;
mod user_pool;

pub use generator::{EventGenerator, GeneratedEvent};
pub use settings::{
    GeneratorSettings, GeneratorSettingsError, MAX_DISORDER_MS, MAX_RATE, MAX_START_MS, MAX_USERS, MIN_RATE,
    MIN_START_MS,
};

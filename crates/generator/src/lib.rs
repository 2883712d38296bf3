//! Generates an endless stream of plausible e-commerce events. The command `windrow generate` uses this library.
//!
//! An [`EventGenerator`] simulates an online shop. Users start sessions, view products, fill carts and purchase. Each
//! of these clicks becomes an event, which arrives after a delay as a JSON payload. All random numbers are derived from
//! the seed in [`GeneratorSettings`].
//!
//! ```text
//!   GeneratorSettings (seed)
//!        │
//!        ▼
//!   ClickTimes ──► ShopSimulator ──► DeliverySimulator ──► PayloadParts ──► GeneratedEvent
//!   time of        user and          time of arrival,      JSON bytes,
//!   each click     product           late or not           malformed or not
//!                    │
//!                    ├─ UserPool: which user starts a session
//!                    ├─ ShoppingRhythms: pauses between clicks, lengths of sessions, rests between them
//!                    └─ ProductCatalogue: products and prices
//! ```
//!
//! Owns: the behaviour of users, the order in which events arrive, the choice of late and malformed events, the bytes
//! of each event. Does not own: the destination of the events, the speed of generation, the command line (the binary
//! `windrow` owns all three).
//!
//! Invariants:
//! 1. The same [`GeneratorSettings`] give the same bytes on every machine and in every run. All random numbers come
//!    from seeded xoshiro256++ streams. Floats are only added, subtracted, multiplied, divided and compared. The
//!    functions `ln`, `exp` and `pow` are not used, because their results differ between platforms.
//! 2. [`GeneratedEvent::arrival_ms`] never decreases.
//! 3. If an event is neither late nor malformed, its event time is at most `disorder_ms` before the event time of every
//!    event that arrived earlier.
//! 4. Delivery does not affect shopping: `disorder_ms`, `late_percent` and `malformed_percent` change neither the
//!    clicks nor their order.
//! 5. No memory is allocated per event. The memory use depends on the number of users, and on the number of events sent
//!    within `disorder_ms`.
//!
//! Read first: [`generator.rs`](../src/windrow_generator/generator.rs.html), the stream;
//! [`shop.rs`](../src/windrow_generator/shop.rs.html), the sessions;
//! [`delivery.rs`](../src/windrow_generator/delivery.rs.html), disorder and lateness.
//!
//! ```
//! use windrow_generator::{EventGenerator, GeneratorSettings};
//!
//! let settings =
//!     GeneratorSettings { user_count: 500, seed: 7, start_ms: 1_704_103_200_000, events_per_second: 20.0, ..GeneratorSettings::default() };
//! let mut generator = EventGenerator::new(settings)?;
//! let event = generator.next();
//! assert_eq!(event.arrival_ms, 1_704_103_200_000);
//! assert!(event.payload.starts_with(br#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"u"#));
//! # Ok::<(), windrow_generator::GeneratorSettingsError>(())
//! ```
//!
//! # Files
//!
//! Paths are relative to `src`.
//!
//! | file | content |
//! |---|---|
//! | `catalogue.rs` | products and their prices |
//! | `click_times.rs` | when clicks happen, at the requested rate |
//! | `delivery.rs` | delay and disorder; which events are late or malformed |
//! | `generator.rs` | the stream: from click to payload |
//! | `malformed.rs` | the payloads of malformed events |
//! | `payload.rs` | an event as JSON |
//! | `random.rs` | random numbers from a seed |
//! | `rhythm.rs` | pauses between clicks and between sessions |
//! | `settings.rs` | the settings and their limits |
//! | `shop.rs` | the sessions of users: who clicks next, and on which product |
//! | `user_pool.rs` | which user starts the next session |
//!
//! # Where a change goes
//!
//! - **An option of the generator**: `generator/settings.rs`: its value and limits. `generator/delivery.rs` (delay,
//!   late, malformed) or `generator/shop.rs` (behaviour of users). `windrow/cli.rs`: `GenerateArgs`.
//!   `windrow/commands/generate.rs`, `windrow/commands/demo.rs`. `generator/tests/stream`.

mod catalogue;
mod click_times;
mod delivery;
mod generator;
mod malformed;
mod payload;
mod random;
mod rhythm;
mod settings;
mod shop;
mod user_pool;

pub use generator::{EventGenerator, GeneratedEvent};
pub use settings::{
    GeneratorSettings, GeneratorSettingsError, MAX_DISORDER_MS, MAX_EVENTS_PER_SECOND, MAX_START_MS, MAX_USERS,
    MIN_EVENTS_PER_SECOND, MIN_START_MS,
};

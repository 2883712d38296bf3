//! The state machine of Windrow. Its input is the events of one partition, its output the rows of features.
//!
//! A [`Shard`] holds the state of one partition. It takes decoded [`Event`]s one by one, adds each event to the windows
//! of its entity, and advances the watermark. When the watermark reaches the last millisecond of a window, the window
//! fires: the shard emits one [`Row`] per entity with events in the window. The crate has no clock, no I/O, no threads
//! and no randomness. So the same events in the same order give the same rows.
//!
//! ```text
//!              ┌─ Shard: one partition ───────────────────────────────┐
//!   Event ────►│ EntityTable           entity key ──► slot            │
//!              │     │                                                │
//!              │     ▼ for every view                                 │
//!              │ SlidingViewState,     slot ──► panes or sessions     │
//!              │ SessionViewState               (EntityAccumulators)  │
//!              │     │                                                │
//!              │     ▼ Watermark: fires all windows that have ended   │──► Row, LateEvent
//!              └─────┬────────────────────────────────────────▲───────┘    (ShardOutput)
//!                    │ begin_snapshot, continue_snapshot      │ ShardRestore
//!                    ▼                                        │
//!                 bytes of a snapshot ────────────────────────┘
//! ```
//!
//! Owns: the meaning of event time, watermarks, panes, sessions and aggregates. Does not own: reading, writing, clocks
//! and threads (the engine), or the pipeline file (the spec crate). Comments cite rules by number ("window rule 3",
//! "fault row 22"); `docs/windows.md` and `docs/faults.md` contain them.
//!
//! Read first: [`shard.rs`](../src/windrow_core/shard.rs.html), the state machine;
//! [`sliding.rs`](../src/windrow_core/sliding.rs.html), one kind of window from first event to last row;
//! [`snapshot.rs`](../src/windrow_core/snapshot.rs.html), how state is saved while events keep arriving.

mod aggregate;
mod condition;
mod definition;
mod entity_accumulators;
mod entity_slot;
mod entity_table;
mod event;
mod row;
mod session;
mod shard;
mod sliding;
mod snapshot;
pub mod text;
mod time;
mod value;
mod view;
mod watermark;

pub use condition::{ComparisonOperator, Condition, Operand};
pub use entity_table::SipHashKey;
pub use event::{ENTITY_KEY_FIELD, Event, EventField, EventFormat, EventSchema, FieldId};
pub use row::{LateEvent, Row, ShardOutput, ViewId};
pub use shard::Shard;
pub use snapshot::encoding::DamagedSnapshot;
pub use snapshot::format::{BaseOrDelta, ShardMetadata, SnapshotStorageOutcome, count_snapshot_bytes_by_table};
pub use snapshot::restore::ShardRestore;
pub use time::{EventTime, Window};
pub use value::{FieldType, Literal, Value};
pub use view::{
    Aggregate, DurationUnit, Feature, FeatureView, MAX_PANES_PER_WINDOW, MAX_WINDOW_MS, WindowKind, pane_size_ms,
};

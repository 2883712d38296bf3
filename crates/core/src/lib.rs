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
//!
//! # Files
//!
//! Paths are relative to `src`.
//!
//! | file | content |
//! |---|---|
//! | `aggregate.rs` | how features are folded, merged and read |
//! | `aggregate/fixed_size.rs` | accumulators of numbers |
//! | `aggregate/variable_size.rs` | accumulators of texts, and sketches for distinct counts |
//! | `completeness.rs` | from which window on a feature has seen all events |
//! | `condition.rs` | `where`, compiled: SQL's three-valued logic |
//! | `definition.rs` | the text by which stored views are recognised; its form never changes |
//! | `entity_accumulators.rs` | an entity's accumulators in two flat arrays |
//! | `entity_slot.rs` | an entity's index in every table of a shard |
//! | `entity_table.rs` | the entities with state: from entity key to slot and back |
//! | `event.rs` | events, their schema and format |
//! | `late_firing.rs` | windows that fire again because of late events |
//! | `merged_panes.rs` | merges of many panes, shared by several windows of an entity |
//! | `record_placement.rs` | partitioners of producers, and what happens with misplaced records |
//! | `row.rs` | the output of a shard: rows and late events |
//! | `session.rs` | sessions: how an event extends or merges them, and when they fire |
//! | `shard.rs` | one partition: watermark, entities, the state of every view |
//! | `sliding.rs` | panes: which windows an event joins, and which windows fire when |
//! | `snapshot.rs` | a shard's state as bytes, written while the shard continues |
//! | `snapshot/encoding.rs` | numbers, texts and bytes within a snapshot |
//! | `snapshot/entry_migration.rs` | saved panes and sessions for a view whose definition has changed |
//! | `snapshot/format.rs` | the tables of a snapshot, and the state outside the slots |
//! | `snapshot/layer_blocks.rs` | the blocks of a layer, read from its parts |
//! | `snapshot/restore.rs` | rebuilding a shard from the layers of its snapshots |
//! | `snapshot/slots.rs` | saving a slot before it changes |
//! | `snapshot/table_progress.rs` | the slots that a running snapshot has not saved yet |
//! | `stored_definition.rs` | window and features of a view, from the text in a checkpoint |
//! | `text.rs` | counts, sizes, spans of time and windows as messages and pages show them |
//! | `time.rs` | event times and windows |
//! | `value.rs` | values of fields and features, and their types |
//! | `view.rs` | feature views: kinds of windows, aggregates, their limits |
//! | `watermark.rs` | the watermark of a partition |
//! | `window_grid.rs` | where the windows and panes of a sliding view start and end |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **An aggregate**: `core/view.rs`: the variant. `core/aggregate.rs` with `core/aggregate/fixed_size.rs` or
//!   `core/aggregate/variable_size.rs`: fold, merge, value. `spec/read/feature.rs`: name, types. `core/definition.rs`:
//!   its text in plans and in stored state. The tables of aggregates in `README.md` and `README.ko.md`.
//! - **Tests of an aggregate**: `core/tests/naive/reference.rs`, `core/tests/naive/streams.rs`,
//!   `windrow/tests/cli/windows`.
//! - **A kind of window**: `core/view.rs`: `WindowKind`. A file beside `core/sliding.rs`, and its arm in
//!   `core/shard.rs`. `core/definition.rs` and `core/text.rs`: its texts. `spec/read/window.rs`. Its display:
//!   `windrow/pipeline_plan.rs`, `windrow/commands/check.rs`, `web/flink/vertex.rs`, `web/api/user_features/render.rs`.
//!   `core/tests/naive/reference.rs`.
//! - **Anything in a shard's state**: `save` and `load` in `core/entity_table.rs` (entity keys), `core/sliding.rs`
//!   (panes), `core/session.rs` (sessions), `core/entity_accumulators.rs` or `core/aggregate/variable_size.rs`
//!   (accumulators), or `core/snapshot/format.rs` (state outside the slots). A new format version in
//!   `engine/checkpoint/state_object.rs`. Run `cargo run -p windrow --example keep_state` with the last commit that
//!   writes the old version, and commit its output as a fixture.

mod aggregate;
mod completeness;
mod condition;
mod definition;
mod entity_accumulators;
mod entity_slot;
mod entity_table;
mod event;
mod late_firing;
mod merged_panes;
mod record_placement;
mod row;
mod session;
mod shard;
mod sliding;
mod snapshot;
mod stored_definition;
pub mod text;
mod time;
mod value;
mod view;
mod watermark;
mod window_grid;

pub use aggregate::AccumulatorLayout;
pub use condition::{ComparisonOperator, Condition, Operand};
pub use entity_table::SipHashKey;
pub use event::{
    DEFAULT_MAX_FIELD_BYTES, ENTITY_KEY_FIELD, EpochUnit, Event, EventField, EventFormat, EventSchema, FieldId,
    TypeConversion,
};
pub use record_placement::{MisplacedRecordPolicy, Partitioner};
pub use row::{FeatureOverflow, LateEvent, LatenessCause, Row, ShardOutput, ViewId};
pub use shard::Shard;
pub use snapshot::encoding::DamagedSnapshot;
pub use snapshot::entry_migration::{ViewMigration, WindowResize};
pub use snapshot::format::{BaseOrDelta, ShardMetadata, SnapshotStorageOutcome};
pub use snapshot::layer_blocks::LayerByteCounter;
pub use snapshot::restore::{SavedViewTarget, ShardRestore};
pub use stored_definition::{
    StoredFeatureDefinition, StoredWindowDefinition, parse_feature_definitions, parse_window_definition,
};
pub use time::{EventTime, Window};
pub use value::{FieldType, Literal, Value};
pub use view::{
    Aggregate, DurationUnit, EmptyWindowPolicy, Feature, FeatureView, MAX_PANES_PER_WINDOW, MAX_WINDOW_MS, WindowKind,
    pane_size_ms,
};

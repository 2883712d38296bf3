//! Windrow's pure state machine: events of one partition in, rows of features out.
//!
//! Owns: the meaning of event time, watermarks, panes, sessions and aggregates. Does not own: reading, writing, clocks,
//! threads (the engine), or what a pipeline file says (the spec crate).
//! The rules that comments cite by number ("window rule 3", "fault row 22") are in `docs/rules.md`.

mod aggregate;
mod condition;
mod definition;
mod entities;
mod event;
mod row;
mod session;
mod shard;
mod sliding;
mod snapshot;
mod strip;
pub mod text;
mod time;
mod value;
mod view;
mod watermark;

pub use condition::{ComparisonOperator, Condition, Operand};
pub use entities::HashKey;
pub use event::{Event, EventField, EventFormat, EventSchema, FieldId, KEY_FIELD};
pub use row::{LateEvent, Row, ShardOutput, ViewId};
pub use shard::Shard;
pub use snapshot::restore::ShardRestore;
pub use snapshot::{DamagedSnapshot, ShardMetadata, SnapshotScope, measure_snapshot_tables};
pub use time::{EventTime, Window};
pub use value::{FieldType, Literal, Value};
pub use view::{Aggregate, DurationUnit, Feature, FeatureView, MAX_PANES, MAX_WINDOW_MS, WindowKind, pane_size_ms};
pub(crate) use watermark::Watermark;

//! Reads the pipeline file: turns TOML text into a validated [`Pipeline`], or into a list of all mistakes.
//!
//! [`parse`] turns the text into a tree of values with locations, and applies the `--set` overrides to the tree. Then
//! one reader per section reads the tree. Reading continues after a section with a mistake, so one call finds all
//! mistakes.
//!
//! ```text
//!   text ──► document ──► overrides ──► read (one reader per section) ──► Pipeline
//!               │             │            │     ├─ condition: SQL ──► windrow_core::Condition
//!               │             │            │     └─ key: key_template, key_collisions
//!               ▼             ▼            ▼
//!             DiagnosticCollector ──► Diagnostics ──► rendered text
//! ```
//!
//! Each section has one table of its settings, [`read::section`](../src/windrow_spec/read/section.rs.html). The readers
//! take names, bounds and defaults from it, and [`pipeline_file_schema`] turns the tables into a JSON Schema.
//!
//! Owns: the grammar of the pipeline file, `--set` overrides, and the check that no two views, users or windows share a
//! Redis key. Does not own: the meaning of windows and aggregates (the core), connections to servers.
//!
//! Invariants: (1) A [`Pipeline`] meets all requirements of the core's types: lengths of time are within their limits,
//! conditions and defaults have the right types, and fields exist. (2) Two views never share a Redis key. If a view's
//! key contains the window, two different pairs of user and window never share a key. (3) No text makes [`parse`]
//! panic, and one call reports every mistake that it can find.
//!
//! Read first: [`pipeline.rs`](../src/windrow_spec/pipeline.rs.html), the model;
//! [`read.rs`](../src/windrow_spec/read.rs.html), the sections in their order;
//! [`read/section.rs`](../src/windrow_spec/read/section.rs.html), the tables of settings;
//! [`read/table_reader.rs`](../src/windrow_spec/read/table_reader.rs.html), how a section is read by its table.

mod diagnostics;
mod document;
mod key_collisions;
mod key_template;
mod overrides;
mod pipeline;
mod read;
mod schema;
mod suggestion;

pub use diagnostics::code::DiagnosticCode;
pub use diagnostics::diagnostic::Diagnostic;
pub use diagnostics::list::Diagnostics;
pub use diagnostics::location::DiagnosticPlace;
pub use diagnostics::render::RenderStyle;
pub use key_template::{KeySegment, KeyTemplate, RedisKeyWindow};
pub use overrides::{OverrideSyntaxError, PipelineOverride};
pub use pipeline::{
    CheckpointSpec, DeadLetterSpec, EventSpec, GroupProtocol, KafkaSourceSpec, LostOffsetPolicy, Pipeline,
    RedisSinkSpec, RedisViewSpec, SinkSpec, SourceSpec, StartPosition, WatermarkSpec,
};
pub use schema::pipeline_file_schema;

/// The text of the pipeline file that is built into Windrow. A command uses it if the user names no pipeline file.
pub const SHIPPED_PIPELINE: &str = include_str!("../../../pipelines/ecommerce.toml");

/// Parses and validates the pipeline file with the content `text`. Before validation, the `overrides` replace values
/// one after the other. Messages use `file_name` for the file.
///
/// # Errors
/// Returns all mistakes of the file and of the overrides, sorted by their place.
pub fn parse(file_name: &str, text: &str, overrides: &[PipelineOverride]) -> Result<Pipeline, Diagnostics> {
    let mut mistakes = diagnostics::collector::DiagnosticCollector::new(text);
    let mut document = document::parse(text, &mut mistakes);
    overrides::apply_overrides(overrides, &mut document, &mut mistakes);
    let pipeline = read::read_pipeline(&document, &mut mistakes);
    match pipeline {
        Some(pipeline) if mistakes.is_empty() => Ok(pipeline),
        _ => Err(Diagnostics::new(file_name, text, overrides, mistakes)),
    }
}

//! The pipeline file: from TOML text to a validated [`Pipeline`], or to a list of all mistakes with their places.
//!
//! [`parse`] turns the text into a tree of values with locations and applies the `--set` overrides. Then it reads the
//! tree section by section. A section with a mistake is reported and skipped, so one call finds all mistakes.
//!
//! ```text
//!   text ──► document ──► overrides ──► read (one reader per section) ──► Pipeline
//!               │             │            │     ├─ condition: SQL ──► windrow_core::Condition
//!               │             │            │     └─ key: key_template, key_collisions
//!               ▼             ▼            ▼
//!             DiagnosticCollector ──► Diagnostics ──► rendered text
//! ```
//!
//! Owns: the grammar of the pipeline file, `--set` overrides, and the rule that a Redis key belongs to one user, window
//! and view. Does not own: the meaning of windows and aggregates (the core), connections.
//!
//! Invariants: (1) A [`Pipeline`] meets all requirements of the core's types: sizes are within their limits, conditions
//! and defaults have the right types, and fields exist. (2) Within a view whose key contains the window, two different
//! pairs of user and window never share a Redis key. Two views never share a Redis key. (3) No text makes [`parse`]
//! panic, and one call reports every mistake that it can find.
//!
//! Read first: [`pipeline.rs`](../src/windrow_spec/pipeline.rs.html), the model;
//! [`read.rs`](../src/windrow_spec/read.rs.html), the sections in their order;
//! [`read/table_reader.rs`](../src/windrow_spec/read/table_reader.rs.html), how a section is read field by field.

mod diagnostics;
mod document;
mod key_collisions;
mod key_template;
mod overrides;
mod pipeline;
mod read;
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

/// The text of the shipped pipeline file, which Windrow uses when a command gets no file.
pub const SHIPPED_PIPELINE: &str = include_str!("../../../pipelines/ecommerce.toml");

/// Parses the pipeline file `text`. Messages call the file `file_name`. The `overrides` replace values of the file one
/// after the other, before validation.
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

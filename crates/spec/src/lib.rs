//! The pipeline file: TOML text in, every mistake with its place out, or a validated [`Pipeline`].
//!
//! Owns: the grammar of the pipeline file, `--set` overrides, and the rules that make a Redis key belong to exactly one
//! user, window and feature view. Does not own: what windows and aggregates mean (the core), connecting to anything.
//!
//! Invariants: (1) a [`Pipeline`] satisfies everything the core's types ask for: sizes within their limits, conditions
//! and defaults of the right types, fields that exist. (2) Two different (user, window) pairs never share a Redis key
//! within a view whose key names the window, and two views never share one at all. (3) No text makes [`parse`] panic;
//! one call reports every mistake it can find.

mod diagnostics;
mod document;
mod key_language;
mod key_template;
mod overrides;
mod pipeline;
mod read;

pub use diagnostics::{Code, Diagnostic, DiagnosticPlace, Diagnostics};
pub use key_template::{KeySegment, KeyTemplate, KeyWindow};
pub use overrides::{OverrideSyntaxError, PipelineOverride};
pub use pipeline::{
    CheckpointSpec, DeadLetterSpec, EventSpec, GroupProtocol, KafkaSourceSpec, LostOffsetPolicy, Pipeline,
    RedisSinkSpec, RedisViewSpec, SinkSpec, SourceSpec, StartPosition, WatermarkSpec,
};

/// The shipped pipeline, used where no file is named.
pub const SHIPPED_PIPELINE: &str = include_str!("../../../pipelines/ecommerce.toml");

/// Reads the pipeline file `text`; `file_name` is only what mistakes are reported under. `overrides` replace values of
/// the document before it is validated, in their order.
///
/// # Errors
/// All mistakes of the file and of the overrides, sorted by their place.
pub fn parse(file_name: &str, text: &str, overrides: &[PipelineOverride]) -> Result<Pipeline, Diagnostics> {
    let mut mistakes = diagnostics::DiagnosticCollector::new(text);
    let mut document = document::parse(text, &mut mistakes);
    overrides::apply_overrides(overrides, &mut document, &mut mistakes);
    let pipeline = read::read_pipeline(&document, &mut mistakes);
    match pipeline {
        Some(pipeline) if mistakes.is_empty() => Ok(pipeline),
        _ => Err(Diagnostics::new(file_name, text, overrides, mistakes)),
    }
}

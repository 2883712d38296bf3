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
//!
//! # Files
//!
//! Paths are relative to `src`.
//!
//! | file | content |
//! |---|---|
//! | `diagnostics.rs` | mistakes: collected, sorted, rendered |
//! | `diagnostics/code.rs` | the kinds of mistakes |
//! | `diagnostics/collector.rs` | takes mistakes from the readers |
//! | `diagnostics/diagnostic.rs` | one mistake in a pipeline file |
//! | `diagnostics/list.rs` | the order of mistakes |
//! | `diagnostics/location.rs` | the location of a mistake |
//! | `diagnostics/render.rs` | mistakes as text |
//! | `document.rs` | the file as a tree of values with locations |
//! | `key_collisions.rs` | whether two key templates can give the same key |
//! | `key_template.rs` | Redis keys: writing, finding and parsing them |
//! | `login_redaction.rs` | the rule what a login is; URLs and texts without logins |
//! | `overrides.rs` | `--set`, which changes the document |
//! | `pipeline.rs` | the content of a valid file; sources, sinks and formats are enums |
//! | `pipeline_test.rs` | the content of a `[[test]]` |
//! | `read.rs` | the sections in their order, one reader each |
//! | `read/boolean.rs` | booleans |
//! | `read/checkpoint.rs` | `[checkpoint]`: the interval and the store of checkpoints |
//! | `read/condition.rs` | `where`: the steps from SQL text to the core's condition |
//! | `read/condition/compile.rs` | types and meaning of SQL expressions |
//! | `read/condition/grammar.rs` | from tokens to a tree: precedence and nesting |
//! | `read/condition/mistake.rs` | a mistake in a condition; `SUPPORTED_SQL`, the list in messages |
//! | `read/condition/supported_tokens.rs` | the words and symbols that are not allowed |
//! | `read/condition/tokens.rs` | from text to tokens |
//! | `read/duration.rs` | durations such as `"10s"` |
//! | `read/duration_or_word.rs` | durations, or words such as `"off"` |
//! | `read/event.rs` | `[event]`, `[event.fields]`: format, key, fields |
//! | `read/event_time.rs` | `time` and `time_zone` of `[event]` |
//! | `read/feature.rs` | `[feature_view.NAME.features]`: the features of a view |
//! | `read/foreign_names.rs` | hints for names and expressions of other systems |
//! | `read/integer.rs` | integers within bounds |
//! | `read/key.rs` | `key`: the template of the Redis keys of a view's rows |
//! | `read/name.rs` | reads and checks names in the pipeline file |
//! | `read/named_entries.rs` | tables in which the author of the file chooses the names |
//! | `read/pipeline_test.rs` | `[[test]]`: tests of the pipeline |
//! | `read/pipeline_test/expected_rows.rs` | the rows and late events that a test expects |
//! | `read/pipeline_test/test_events.rs` | the events of a test, from TOML to JSON |
//! | `read/pipeline_test/test_times.rs` | times in expectations, and whether a view has such a window |
//! | `read/reject_destination.rs` | `[dead_letters]` and `[late_events]`: the destinations of both |
//! | `read/savepoint_locations.rs` | `savepoints`: where savepoints that are requested over HTTP may go |
//! | `read/secret.rs` | settings that may be secret: `${NAME}` and `{ file = "…" }` |
//! | `read/section.rs` | the tables of settings: names, values, bounds, defaults |
//! | `read/setting.rs` | a value with its path, and the checks of its type |
//! | `read/sink.rs` | `[sink.redis]`: the Redis server to which rows are written |
//! | `read/source.rs` | `[source.kafka]`: brokers, topic, consumer group |
//! | `read/table_reader.rs` | reads a section by its table, and reports missing and unknown settings |
//! | `read/text.rs` | kinds of text, as regular expressions for the JSON Schema |
//! | `read/view.rs` | `[feature_view.NAME]`: window, Redis key, TTL, features |
//! | `read/watermark.rs` | `[watermark]`: how far the event times of a partition may be out of order |
//! | `read/window.rs` | `window.sliding`, `window.tumbling` or `window.session`: the windows of a view |
//! | `read/word_choice.rs` | settings that are one of a few words |
//! | `schema.rs` | the JSON Schema of the file, made from the tables of settings |
//! | `secrets.rs` | the interface to the secrets outside of the file |
//! | `suggestion.rs` | the valid names that are closest to a misspelt one |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **A field of the pipeline file**: Its section's table and reader: `spec/read/source.rs`, `spec/read/event.rs`,
//!   `spec/read/watermark.rs`, `spec/read/checkpoint.rs`, `spec/read/view.rs`, … `spec/pipeline.rs`. A file in
//!   `spec/tests/mistakes`, `docs/pipeline.md`, and `pipelines/windrow.schema.json` (`windrow schema` prints it).
//!   `windrow/pipeline_plan.rs` if the plan shows it. The place where it takes effect:
//!   `connectors/job.rs` for what a worker computes, `connectors/kafka/client_config.rs` for settings of Kafka
//!   clients, `windrow/worker_pool.rs` for the creation of sources, `connectors/redis/settings.rs` and
//!   `connectors/redis/address.rs` for Redis, `windrow/job_state_folder.rs` and `engine/checkpoint/config.rs` for
//!   checkpoints.
//! - **A section of the pipeline file**: as above, with a new file in `spec/read/` that `spec/read.rs` calls.
//! - **A kind of mistake**: `spec/diagnostics/code.rs`, and an example in `spec/tests/mistakes` (a test demands one for
//!   every code).
//! - **A word or an operator of `where`**: `spec/read/condition/tokens.rs`: its token. `spec/read/condition/grammar.rs`:
//!   its place and precedence. `spec/read/condition/compile.rs`: its types and meaning.
//!   `spec/read/condition/supported_tokens.rs`: no hint against it any more. `spec/read/condition/mistake.rs`:
//!   `SUPPORTED_SQL`, the list in messages. `core/condition.rs`: evaluate it. `core/definition.rs`: its text in stored
//!   state. `spec/tests/condition.rs`, `spec/tests/mistakes/where.toml`, `docs/pipeline.md`.

mod diagnostics;
mod document;
mod key_collisions;
mod key_template;
pub mod login_redaction;
mod overrides;
mod pipeline;
mod pipeline_test;
mod read;
mod schema;
mod secrets;
mod suggestion;

use diagnostics::collector::DiagnosticCollector;
use document::DocumentNode;
use read::TestReading;

pub use diagnostics::code::DiagnosticCode;
pub use diagnostics::diagnostic::Diagnostic;
pub use diagnostics::list::Diagnostics;
pub use diagnostics::location::DiagnosticPlace;
pub use diagnostics::render::RenderStyle;
pub use key_template::{KeySegment, KeyTemplate, RedisKeyWindow};
pub use overrides::{OverrideSyntaxError, PipelineOverride};
pub use pipeline::{
    CheckpointSpec, EventSpec, FutureLimitSpec, GroupProtocol, IdleTimeoutSpec, KafkaSourceSpec, LostOffsetPolicy,
    PartitionFaultSetting, Pipeline, RedisSinkSpec, RedisViewSpec, RejectDestination, RowAcknowledgement, SinkSpec,
    SourceSpec, StartPosition, WatermarkSpec,
};
pub use pipeline_test::{
    ExpectedFeature, ExpectedLateEvent, ExpectedTestRow, ExpectedViewRows, PipelineTest, TestStep,
};
pub use schema::pipeline_file_schema;
pub use secrets::{NoSecrets, SecretSource};
pub use suggestion::find_similar_names;

/// The text of the pipeline file that is built into Windrow. A command uses it if the user names no pipeline file.
pub const SHIPPED_PIPELINE: &str = include_str!("../../../pipelines/ecommerce.toml");

/// Parses and validates the pipeline file with the content `text`. Before validation, the `overrides` replace values
/// one after the other. Messages use `file_name` for the file. A reference to a secret is a mistake; use
/// [`parse_with_secrets`] for files with references.
///
/// # Errors
/// Returns all mistakes of the file and of the overrides, sorted by their place.
pub fn parse(file_name: &str, text: &str, overrides: &[PipelineOverride]) -> Result<Pipeline, Diagnostics> {
    parse_with_secrets(file_name, text, overrides, &NoSecrets)
}

/// Parses and validates a pipeline file as [`parse`] does. The values of secrets come from `secrets`. If an override
/// changes `event` or `feature_view`, the pipeline has no tests: those of the file are about other settings.
///
/// # Errors
/// Returns all mistakes of the file and of the overrides, sorted by their place. No mistake contains a secret.
pub fn parse_with_secrets(
    file_name: &str,
    text: &str,
    overrides: &[PipelineOverride],
    secrets: &dyn SecretSource,
) -> Result<Pipeline, Diagnostics> {
    let changes_tested_settings = overrides.iter().any(overrides::changes_tested_settings);
    let test_reading = if changes_tested_settings { TestReading::Skip } else { TestReading::Read };
    parse_document(file_name, text, overrides, |document, mistakes| {
        read::read_pipeline(document, test_reading, secrets, mistakes)
    })
}

/// Parses and validates a pipeline file for running its tests. References to secrets are not resolved, because tests
/// connect to nothing. Tests are read with all overrides.
///
/// # Errors
/// Returns all mistakes of the file and of the overrides, sorted by their place.
pub fn parse_for_tests(file_name: &str, text: &str, overrides: &[PipelineOverride]) -> Result<Pipeline, Diagnostics> {
    parse_document(file_name, text, overrides, |document, mistakes| {
        secrets::replace_secret_references(document);
        read::read_pipeline(document, TestReading::Read, &NoSecrets, mistakes)
    })
}

fn parse_document(
    file_name: &str,
    text: &str,
    overrides: &[PipelineOverride],
    read: impl FnOnce(&mut DocumentNode, &mut DiagnosticCollector<'_>) -> Option<Pipeline>,
) -> Result<Pipeline, Diagnostics> {
    let mut mistakes = DiagnosticCollector::new(text);
    let mut document = document::parse(text, &mut mistakes);
    overrides::apply_overrides(overrides, &mut document, &mut mistakes);
    match read(&mut document, &mut mistakes) {
        Some(pipeline) if mistakes.is_empty() => Ok(pipeline),
        _ => Err(Diagnostics::new(file_name, text, overrides, mistakes)),
    }
}

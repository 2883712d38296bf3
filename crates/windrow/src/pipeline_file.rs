//! Loads a pipeline file, and creates the job definition of the workers from the pipeline.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;

use windrow_core::{FeatureView, SipHashKey};
use windrow_engine::{DecodeRules, EventDecoder, JobDefinition};
use windrow_spec::{Diagnostics, Pipeline, PipelineOverride, RenderStyle, SHIPPED_PIPELINE};
use windrow_web::login_redaction::redact_pipeline_text;

use crate::exit::{CommandFailure, ExitStatus};

/// The name of the built-in pipeline file in messages.
const SHIPPED_PIPELINE_NAME: &str = "pipelines/ecommerce.toml (built in)";

/// A pipeline, and the text of the pipeline file that the pages show.
pub(crate) struct LoadedPipeline {
    pub(crate) pipeline: Pipeline,
    /// The text of the pipeline file without logins. Comments at the beginning list the overrides.
    pub(crate) redacted_text: String,
}

/// The text of a pipeline file, and the name of the file in messages.
pub(crate) struct PipelineText {
    pub(crate) display_name: String,
    pub(crate) toml_text: String,
}

/// Whether Kafka records must have a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordKeyRequirement {
    Required,
    Optional,
}

/// Loads the pipeline file at `path`, or without a path the built-in file, and applies `overrides`.
pub(crate) fn load(path: Option<&Path>, overrides: &[PipelineOverride]) -> Result<Pipeline, CommandFailure> {
    load_with_redacted_text(path, overrides).map(|loaded| loaded.pipeline)
}

/// Loads a pipeline as [`load`] does, together with the text that the pages show.
pub(crate) fn load_with_redacted_text(
    path: Option<&Path>,
    overrides: &[PipelineOverride],
) -> Result<LoadedPipeline, CommandFailure> {
    let PipelineText { display_name: name, toml_text: text } = read_pipeline_text(path)?;
    let pipeline = windrow_spec::parse(&name, &text, overrides)
        .map_err(|mistakes| CommandFailure::new(ExitStatus::Pipeline, render_mistakes(&mistakes)))?;
    let comment = |set: &PipelineOverride| {
        // Escape control characters in the value, because a line break in it would end the TOML comment.
        let value = if set.value.contains(char::is_control) { format!("{:?}", set.value) } else { set.value.clone() };
        format!("# --set {}={value}\n", set.path)
    };
    let commented: String = overrides.iter().map(comment).chain([text]).collect();
    let redacted_text = redact_pipeline_text(&commented, &pipeline.sink.redis().redis_url);
    Ok(LoadedPipeline { pipeline, redacted_text })
}

/// Returns the text of the pipeline file at `path`, or without a path the text of the built-in file.
pub(crate) fn read_pipeline_text(path: Option<&Path>) -> Result<PipelineText, CommandFailure> {
    let Some(path) = path else {
        return Ok(PipelineText {
            display_name: SHIPPED_PIPELINE_NAME.to_owned(),
            toml_text: SHIPPED_PIPELINE.to_owned(),
        });
    };
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok(PipelineText { display_name: name, toml_text: text }),
        Err(error) => {
            let message = format!("error: cannot read the pipeline file {name}: {error}");
            Err(CommandFailure::new(ExitStatus::Pipeline, message))
        }
    }
}

/// Renders the mistakes in a pipeline file for stderr, in colour if stderr is a terminal.
pub(crate) fn render_mistakes(mistakes: &Diagnostics) -> String {
    mistakes.render(if stderr().is_terminal() { RenderStyle::Colored } else { RenderStyle::Plain })
}

/// Returns copies of the feature views of `pipeline`, in a slice that workers can share.
pub(crate) fn clone_feature_views(pipeline: &Pipeline) -> Arc<[FeatureView]> {
    pipeline.views.iter().cloned().collect()
}

/// Creates the job definition for the workers. `topic` is the name of the Kafka topic that they read. For a replay, it
/// is the name of the input.
pub(crate) fn create_job_definition(
    pipeline: &Pipeline,
    topic: &str,
    record_keys: RecordKeyRequirement,
) -> Result<JobDefinition, CommandFailure> {
    Ok(JobDefinition {
        views: clone_feature_views(pipeline),
        schema: pipeline.event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: create_event_decoder(pipeline),
        topic: topic.into(),
        sip_hash_key: random_hash_key()?,
        record_keys_required: record_keys == RecordKeyRequirement::Required,
    })
}

/// Creates the decoder for the records of `pipeline`.
pub(crate) fn create_event_decoder(pipeline: &Pipeline) -> EventDecoder {
    let event = &pipeline.event;
    EventDecoder::new(DecodeRules {
        format: event.format,
        schema: event.schema.clone(),
        type_conversion: event.type_conversion,
        time_field: event.time_field.as_str().into(),
        time_number_unit: event.time_number_unit,
        time_text_format: event.time_text_format.as_deref().map(Into::into),
        time_zone: event.time_zone.clone(),
        max_key_bytes: event.max_key_bytes,
    })
}

fn random_hash_key() -> Result<SipHashKey, CommandFailure> {
    let mut key = SipHashKey::default();
    getrandom::fill(&mut key).map_err(|error| {
        CommandFailure::new(
            ExitStatus::Internal,
            format!("error: the operating system provides no random numbers: {error}"),
        )
    })?;
    Ok(key)
}

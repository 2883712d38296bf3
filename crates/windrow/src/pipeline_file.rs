//! Loads a pipeline file and derives from it what workers need.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;

use windrow_core::{FeatureView, HashKey};
use windrow_engine::{EventDecoder, JobDefinition};
use windrow_spec::{Diagnostics, Pipeline, PipelineOverride, RenderStyle, SHIPPED_PIPELINE};
use windrow_web::secrets::redact_pipeline_text;

use crate::exit::{CommandFailure, ExitStatus};

/// The name of the built-in pipeline in messages.
const SHIPPED_PIPELINE_NAME: &str = "pipelines/ecommerce.toml (built in)";

/// A pipeline, and its file for pages.
pub(crate) struct LoadedPipeline {
    pub(crate) pipeline: Pipeline,
    /// The overrides as comments, and the file without logins.
    pub(crate) redacted_text: String,
}

/// The text of a pipeline file, and its name in messages.
pub(crate) struct PipelineText {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Whether records must have keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordKeys {
    Required,
    Optional,
}

/// Loads the pipeline file at `path`, or the built-in one, and applies `overrides`.
pub(crate) fn load(path: Option<&Path>, overrides: &[PipelineOverride]) -> Result<Pipeline, CommandFailure> {
    load_with_redacted_text(path, overrides).map(|loaded| loaded.pipeline)
}

/// Loads a pipeline as [`load`] does, with its text for pages.
pub(crate) fn load_with_redacted_text(
    path: Option<&Path>,
    overrides: &[PipelineOverride],
) -> Result<LoadedPipeline, CommandFailure> {
    let PipelineText { name, text } = read_text(path)?;
    let pipeline = windrow_spec::parse(&name, &text, overrides)
        .map_err(|mistakes| CommandFailure::new(ExitStatus::Pipeline, render_mistakes(&mistakes)))?;
    let comment = |set: &PipelineOverride| {
        // A line break would end the comment.
        let value = if set.value.contains(char::is_control) { format!("{:?}", set.value) } else { set.value.clone() };
        format!("# --set {}={value}\n", set.path)
    };
    let commented: String = overrides.iter().map(comment).chain([text]).collect();
    let redacted_text = redact_pipeline_text(&commented, &pipeline.sink.redis().url);
    Ok(LoadedPipeline { pipeline, redacted_text })
}

/// Reads the pipeline file at `path`, or the built-in one.
pub(crate) fn read_text(path: Option<&Path>) -> Result<PipelineText, CommandFailure> {
    let Some(path) = path else {
        return Ok(PipelineText { name: SHIPPED_PIPELINE_NAME.to_owned(), text: SHIPPED_PIPELINE.to_owned() });
    };
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok(PipelineText { name, text }),
        Err(error) => {
            let message = format!("error: cannot read the pipeline file {name}: {error}");
            Err(CommandFailure::new(ExitStatus::Pipeline, message))
        }
    }
}

/// Renders mistakes for stderr, in colour where it is a terminal.
pub(crate) fn render_mistakes(mistakes: &Diagnostics) -> String {
    mistakes.render(if stderr().is_terminal() { RenderStyle::Colored } else { RenderStyle::Plain })
}

/// Returns the feature views of `pipeline` for the core.
pub(crate) fn feature_views(pipeline: &Pipeline) -> Arc<[FeatureView]> {
    pipeline.views.iter().cloned().collect()
}

/// Creates the job definition for workers that read `topic`.
pub(crate) fn create_job(
    pipeline: &Pipeline,
    topic: &str,
    record_keys: RecordKeys,
) -> Result<JobDefinition, CommandFailure> {
    let event = &pipeline.event;
    Ok(JobDefinition {
        views: feature_views(pipeline),
        schema: event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: EventDecoder::new(
            event.format,
            event.schema.clone(),
            &event.time_field,
            event.time_zone.clone(),
            event.max_key_bytes,
        ),
        topic: topic.into(),
        hash_key: random_hash_key()?,
        keys_required: record_keys == RecordKeys::Required,
    })
}

fn random_hash_key() -> Result<HashKey, CommandFailure> {
    let mut key = HashKey::default();
    getrandom::fill(&mut key).map_err(|error| {
        CommandFailure::new(ExitStatus::Internal, format!("error: the system gives no random numbers: {error}"))
    })?;
    Ok(key)
}

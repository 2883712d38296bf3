//! Loads a pipeline file and derives from it what workers need.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;

use windrow_core::{FeatureView, HashKey};
use windrow_engine::{EventDecoder, JobDefinition};
use windrow_spec::{Pipeline, PipelineOverride, SHIPPED_PIPELINE};
use windrow_web::secrets::redact_pipeline_text;

use crate::exit::{CommandFailure, ExitStatus};

/// The name of the built-in pipeline in messages.
const SHIPPED_PIPELINE_NAME: &str = "pipelines/ecommerce.toml (built in)";

/// Loads the pipeline file at `path`, or the built-in one, and applies `overrides`.
pub(crate) fn load(path: Option<&Path>, overrides: &[PipelineOverride]) -> Result<Pipeline, CommandFailure> {
    load_with_redacted_text(path, overrides).map(|(pipeline, _)| pipeline)
}

/// Likewise, and what the file says without logins; overrides stand before it.
pub(crate) fn load_with_redacted_text(
    path: Option<&Path>,
    overrides: &[PipelineOverride],
) -> Result<(Pipeline, String), CommandFailure> {
    let (name, text) = read_text(path)?;
    let pipeline = windrow_spec::parse(&name, &text, overrides)
        .map_err(|mistakes| CommandFailure::new(ExitStatus::Pipeline, mistakes.render(stderr().is_terminal())))?;
    let set = |one: &PipelineOverride| {
        // A line break would end the comment.
        let value = if one.value.contains(char::is_control) { format!("{:?}", one.value) } else { one.value.clone() };
        format!("# --set {}={value}\n", one.path)
    };
    let whole: String = overrides.iter().map(set).chain([text]).collect();
    let shown = redact_pipeline_text(&whole, &pipeline.sink.redis().url);
    Ok((pipeline, shown))
}

/// The name and the text of the pipeline file at `path`, or of the shipped one.
pub(crate) fn read_text(path: Option<&Path>) -> Result<(String, String), CommandFailure> {
    let Some(path) = path else { return Ok((SHIPPED_PIPELINE_NAME.to_owned(), SHIPPED_PIPELINE.to_owned())) };
    let text = fs::read_to_string(path).map_err(|error| {
        CommandFailure::new(
            ExitStatus::Pipeline,
            format!("error: cannot read the pipeline file {}: {error}", path.display()),
        )
    })?;
    Ok((path.display().to_string(), text))
}

/// Returns the feature views of `pipeline` for the core.
pub(crate) fn feature_views(pipeline: &Pipeline) -> Arc<[FeatureView]> {
    pipeline.views.iter().cloned().collect()
}

/// Creates the job definition for workers that read `topic`.
pub(crate) fn create_job(
    pipeline: &Pipeline,
    topic: &str,
    keys_required: bool,
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
        keys_required,
    })
}

fn random_hash_key() -> Result<HashKey, CommandFailure> {
    let mut key = HashKey::default();
    getrandom::fill(&mut key).map_err(|error| {
        CommandFailure::new(ExitStatus::Internal, format!("error: the system gives no random numbers: {error}"))
    })?;
    Ok(key)
}

//! Loads a pipeline file, and creates the job definition of the workers from the pipeline.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;

use windrow_connectors::job::{JobInput, define_job};
use windrow_core::{FeatureView, SipHashKey};
use windrow_engine::JobDefinition;
use windrow_spec::login_redaction::{HIDDEN_PIPELINE_TEXT, redact_pipeline_text};
use windrow_spec::{Diagnostics, Pipeline, PipelineOverride, RenderStyle, SHIPPED_PIPELINE};

use crate::exit::{CommandFailure, ExitStatus};
use crate::process_secrets::ProcessSecrets;
use crate::read_error::describe_read_error;

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
    let pipeline = windrow_spec::parse_with_secrets(&name, &text, overrides, &ProcessSecrets)
        .map_err(|mistakes| CommandFailure::new(ExitStatus::Pipeline, render_mistakes(&mistakes)))?;
    let comment = |set: &PipelineOverride| {
        // Escape control characters in the value, because a line break in it would end the TOML comment.
        let value = if set.value.contains(char::is_control) { format!("{:?}", set.value) } else { set.value.clone() };
        format!("# --set {}={value}\n", set.path)
    };
    let commented: String = overrides.iter().map(comment).chain([text]).collect();
    let redis = pipeline.sink.redis();
    let redacted_text = if redis.has_password_in_pipeline_file {
        HIDDEN_PIPELINE_TEXT.to_owned()
    } else {
        redact_pipeline_text(&commented, &redis.url_part_in_pipeline_file, &redis.passwords)
    };
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
    match fs::read(path).map_err(|error| describe_read_error(path, &error)).and_then(decode_pipeline_text) {
        Ok(text) => Ok(PipelineText { display_name: name, toml_text: text }),
        Err(problem) => {
            let message = format!("error: the pipeline file {name} {problem}");
            Err(CommandFailure::new(ExitStatus::Pipeline, message))
        }
    }
}

/// Returns the text of a pipeline file, or the end of a sentence that says why `bytes` are not a text.
fn decode_pipeline_text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("is in UTF-16; save it in UTF-8".to_owned());
    }
    if bytes.contains(&0) {
        return Err("is a binary file, not a text in TOML".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        format!("is not a text in UTF-8: line {line} has an invalid byte")
    })
}

/// Renders the mistakes in a pipeline file for stderr, in colour if stderr is a terminal.
pub(crate) fn render_mistakes(mistakes: &Diagnostics) -> String {
    mistakes.render(if stderr().is_terminal() { RenderStyle::Colored } else { RenderStyle::Plain })
}

/// Returns copies of the feature views of `pipeline`, in a slice that workers can share.
pub(crate) fn clone_feature_views(pipeline: &Pipeline) -> Arc<[FeatureView]> {
    pipeline.views.iter().cloned().collect()
}

/// Creates the job definition for the workers that read `input`.
pub(crate) fn create_job_definition(pipeline: &Pipeline, input: JobInput<'_>) -> Result<JobDefinition, CommandFailure> {
    Ok(define_job(pipeline, input, random_hash_key()?))
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

//! Reading a pipeline file for a command.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;

use windrow_core::{FeatureView, HashKey};
use windrow_engine::{Decoder, Job};
use windrow_spec::{ECOMMERCE, Override, Pipeline};
use windrow_web::secrets::redacted;

use crate::exit::{Exit, Failure};

/// What the compiled-in pipeline is called in messages.
const SHIPPED: &str = "pipelines/ecommerce.toml (built in)";

/// The pipeline in the file at `path`, or the shipped one, with `overrides` applied.
pub(crate) fn load(path: Option<&Path>, overrides: &[Override]) -> Result<Pipeline, Failure> {
    load_with_text(path, overrides).map(|(pipeline, _)| pipeline)
}

/// Likewise, and what the file says without logins; overrides stand before it.
pub(crate) fn load_with_text(path: Option<&Path>, overrides: &[Override]) -> Result<(Pipeline, String), Failure> {
    let (name, text) = read(path)?;
    let pipeline = windrow_spec::parse(&name, &text, overrides)
        .map_err(|mistakes| Failure::new(Exit::Pipeline, mistakes.render(stderr().is_terminal())))?;
    let set = |one: &Override| {
        // A line break would end the comment.
        let value = if one.value.contains(char::is_control) { format!("{:?}", one.value) } else { one.value.clone() };
        format!("# --set {}={value}\n", one.path)
    };
    let whole: String = overrides.iter().map(set).chain([text]).collect();
    let shown = redacted(&whole, &pipeline.sink.url);
    Ok((pipeline, shown))
}

/// The name and the text of the pipeline file at `path`, or of the shipped one.
pub(crate) fn read(path: Option<&Path>) -> Result<(String, String), Failure> {
    let Some(path) = path else { return Ok((SHIPPED.to_owned(), ECOMMERCE.to_owned())) };
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Pipeline, format!("error: cannot read the pipeline file {}: {error}", path.display()))
    })?;
    Ok((path.display().to_string(), text))
}

/// The feature views of `pipeline` as the core knows them.
pub(crate) fn feature_views(pipeline: &Pipeline) -> Arc<[FeatureView]> {
    pipeline.views.iter().map(|view| view.feature_view.clone()).collect()
}

/// What a worker needs to know of `pipeline` when it reads from `topic`.
pub(crate) fn job(pipeline: &Pipeline, topic: &str, keys_required: bool) -> Result<Job, Failure> {
    let event = &pipeline.event;
    Ok(Job {
        views: feature_views(pipeline),
        schema: event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: Decoder::new(event.schema.clone(), &event.time_field, event.time_zone.clone(), event.max_key_bytes),
        topic: topic.into(),
        hash_key: hash_key()?,
        keys_required,
    })
}

fn hash_key() -> Result<HashKey, Failure> {
    let mut key = HashKey::default();
    getrandom::fill(&mut key)
        .map_err(|error| Failure::new(Exit::Internal, format!("error: the system gives no random numbers: {error}")))?;
    Ok(key)
}

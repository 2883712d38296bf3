//! Turns the document into a validated pipeline, with one reader per section of the file.
//!
//! Every reader continues after a mistake, so that one run finds all mistakes. A reader that returns `None` has
//! reported the reason. A reader skips each check that needs a value with a mistake, so one mistake is reported only
//! once.

mod checkpoint;
mod condition;
mod dead_letters;
mod duration;
mod event;
mod feature;
mod key;
mod name;
mod sink;
mod source;
mod table_reader;
mod view;
mod watermark;
mod window;

use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentNode;
use crate::pipeline::{Pipeline, RedisSinkSpec, SinkSpec};
use crate::read::table_reader::PipelineSetting;

/// Returns the pipeline, or `None` if a required part of it has a mistake.
pub(crate) fn read_pipeline(document: &DocumentNode, mistakes: &mut DiagnosticCollector<'_>) -> Option<Pipeline> {
    let mut root = PipelineSetting::root_setting(document).read_table("tables", mistakes)?;
    let name = root.required_setting("name", "name = \"ecommerce\"");
    let name = name.and_then(|setting| name::read_pipeline_name(&setting, mistakes));
    let source = source::read_source(&mut root, mistakes);
    let (event, event_fields) = event::read_event(&mut root, mistakes);
    let watermark = watermark::read_watermark(&mut root, mistakes);
    let checkpoint = checkpoint::read_checkpoint(&mut root, mistakes);
    let redis_url = sink::read_sink_url(&mut root, mistakes);
    let source_topic = source.as_ref().map(|source| source.kafka().topic.as_str());
    let dead_letters = dead_letters::read_dead_letters(&mut root, source_topic, mistakes);
    let views = view::read_views(&mut root, &event_fields, mistakes);
    root.report_unknown_and_missing_fields(mistakes);
    let (views, redis_view_specs) = views?.into_iter().map(|view| (view.feature_view, view.redis_spec)).unzip();
    Some(Pipeline {
        name: name?,
        source: source?,
        event: event?,
        watermark: watermark?,
        checkpoint: checkpoint?,
        sink: SinkSpec::Redis(RedisSinkSpec { redis_url: redis_url?, redis_view_specs }),
        dead_letters: dead_letters.ok()?,
        views,
    })
}

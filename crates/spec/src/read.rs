//! Turns the document into a validated pipeline, with one reader per section of the file.
//!
//! Every reader continues after a mistake, so that one run finds all mistakes. A reader that returns `None` has
//! reported the reason. A reader skips each check that needs a value with a mistake, so one mistake is reported only
//! once.

mod boolean;
mod checkpoint;
mod condition;
mod duration;
mod duration_or_word;
mod event;
mod event_time;
mod feature;
mod foreign_names;
mod integer;
mod key;
mod name;
mod named_entries;
mod pipeline_test;
mod reject_destination;
mod savepoint_locations;
mod secret;
mod section;
mod setting;
mod sink;
mod source;
mod table_reader;
mod text;
mod view;
mod watermark;
mod window;
mod word_choice;

use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentNode;
use crate::pipeline::{Pipeline, RedisSinkSpec, SinkSpec};
use crate::read::name::SAFE_NAME_RULE;
use crate::read::pipeline_test::TestedPipeline;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition, SettingValue};
use crate::read::setting::PipelineSetting;
use crate::read::text::{TextDefinition, TextPattern};
use crate::secrets::SecretSource;

static PIPELINE_FILE: &SectionDefinition = &SectionDefinition {
    expected: "tables",
    alternatives: &[],
    settings: &[
        &NAME,
        &source::SOURCE,
        &event::EVENT,
        &watermark::WATERMARK,
        &checkpoint::CHECKPOINT,
        &sink::SINK,
        &reject_destination::DEAD_LETTERS.definition,
        &reject_destination::LATE_EVENTS.definition,
        &view::FEATURE_VIEW,
        &pipeline_test::TESTS,
    ],
};
static NAME: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "name",
    "name = \"ecommerce\"",
    TextDefinition::with_pattern(TextPattern::Name(SAFE_NAME_RULE)),
    "The name of the pipeline. It is part of paths and metric labels.",
);

/// Returns the JSON Schema of the pipeline file as an object without `$schema` and title.
pub(crate) fn build_file_schema() -> serde_json::Value {
    PIPELINE_FILE.to_schema()
}

/// Whether the tests of the file are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TestReading {
    Read,
    /// The pipeline has no tests, and mistakes in them are not reported.
    Skip,
}

/// Returns the pipeline, or `None` if a required part of it has a mistake.
pub(crate) fn read_pipeline(
    document: &DocumentNode,
    test_reading: TestReading,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Pipeline> {
    let mut root = PIPELINE_FILE.read_value(&PipelineSetting::root_setting(document), mistakes)?;
    let name = root.find_setting(&NAME).and_then(|setting| name::read_pipeline_name(&setting, mistakes));
    let source = source::read_source(&mut root, mistakes);
    let (event, event_fields) = event::read_event(&mut root, mistakes);
    let watermark = watermark::read_watermark(&mut root, mistakes);
    let checkpoint = checkpoint::read_checkpoint(&mut root, mistakes);
    let redis_sink = sink::read_redis_sink(&mut root, secrets, mistakes);
    let source_topic = source.as_ref().map(|source| source.kafka().topic.as_str());
    let mut read_destination =
        |section| reject_destination::read_reject_destination(section, &mut root, source_topic, mistakes);
    let dead_letters = read_destination(&reject_destination::DEAD_LETTERS);
    let late_events = read_destination(&reject_destination::LATE_EVENTS);
    let views = view::read_views(&mut root, &event_fields, mistakes);
    let (views, redis_view_specs): (Option<Vec<_>>, Vec<_>) = match views {
        Some(views) => {
            let (views, specs) = views.into_iter().map(|view| (view.feature_view, view.redis_spec)).unzip();
            (Some(views), specs)
        }
        None => (None, Vec::new()),
    };
    let tests = match test_reading {
        TestReading::Read => {
            let tested = TestedPipeline { event: event.as_ref(), views: views.as_deref() };
            pipeline_test::read_tests(&mut root, &tested, mistakes)
        }
        TestReading::Skip => {
            root.find_setting(&pipeline_test::TESTS);
            Some(Vec::new())
        }
    };
    root.report_unknown_and_missing_fields(mistakes);
    let redis_sink = redis_sink?;
    let redis_address = redis_sink.address;
    Some(Pipeline {
        name: name?,
        source: source?,
        event: event?,
        watermark: watermark?,
        checkpoint: checkpoint?,
        sink: SinkSpec::Redis(RedisSinkSpec {
            redis_url: redis_address.url,
            url_part_in_pipeline_file: redis_address.url_part_in_pipeline_file,
            passwords: redis_address.passwords,
            has_password_in_pipeline_file: redis_address.has_password_in_pipeline_file,
            required_acknowledgement: redis_sink.required_acknowledgement,
            redis_view_specs,
        }),
        dead_letters: dead_letters.ok()?,
        late_events: late_events.ok()?,
        views: views?,
        tests: tests?,
    })
}

//! `[checkpoint]`: the interval and the store of checkpoints, and where savepoints may go. Every field has a default.

use windrow_core::MAX_WINDOW_MS;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::CheckpointSpec;
use crate::read::duration::DurationRange;
use crate::read::integer::{IntegerRange, IntegerUnit};
use crate::read::savepoint_locations::SavepointLocations;
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};

const DEFAULT_STORE_URL: &str = "file:./.windrow/checkpoints";
const STORE_URL_SCHEMES: [&str; 4] = ["file:", "s3://", "gs://", "az://"];

pub(super) static CHECKPOINT: SettingDefinition<&SectionDefinition> = SettingDefinition::optional(
    "checkpoint",
    &SectionDefinition {
        expected: "a table: `[checkpoint]`",
        alternatives: &[],
        settings: &[&EVERY, &STORE, &KEEP, &SAVEPOINTS],
    },
    "The interval and the store of checkpoints.",
);
static EVERY: SettingDefinition<DurationRange> = SettingDefinition::optional(
    "every",
    DurationRange::with_default(1, MAX_WINDOW_MS, 30_000),
    "The time from the start of one checkpoint to the start of the next.",
);
static STORE: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "store",
    TextDefinition {
        pattern: TextPattern::Url { schemes: &STORE_URL_SCHEMES, rest: r"\s*\S" },
        max_bytes: None,
        default: Some(DEFAULT_STORE_URL),
    },
    "The URL of the checkpoint store: `file:path`, `s3://bucket/prefix`, `gs://…` or `az://…`.",
);
static KEEP: SettingDefinition<IntegerRange> = SettingDefinition::optional(
    "keep",
    IntegerRange { min: 1, max: 1_000, default: 3, unit: IntegerUnit::Generations },
    "The number of complete checkpoints that are kept for each partition.",
);
static SAVEPOINTS: SettingDefinition<SavepointLocations> = SettingDefinition::optional(
    "savepoints",
    SavepointLocations,
    "The locations below which a savepoint that is requested over HTTP may go: `file:/path`, `s3://bucket/prefix`, \
     `gs://…` or `az://…`. It may always go below the job's checkpoints.",
);

pub(super) fn read_checkpoint(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<CheckpointSpec> {
    let mut checkpoint = root.read_section_or_defaults(&CHECKPOINT, mistakes)?;
    let every = checkpoint.read_setting(&EVERY, mistakes);
    let store = match checkpoint.find_setting(&STORE) {
        Some(setting) => read_store_url(&setting, mistakes),
        None => STORE.value.default.map(str::to_owned),
    };
    let keep = checkpoint.read_setting(&KEEP, mistakes);
    let savepoints = checkpoint.read_setting(&SAVEPOINTS, mistakes);
    checkpoint.report_unknown_and_missing_fields(mistakes);
    Some(CheckpointSpec {
        checkpoint_interval_ms: every?,
        checkpoint_store_url: store?,
        kept_generation_count: keep?,
        http_savepoint_locations: savepoints?,
    })
}

fn read_store_url(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_STORE_URL: &str = "\"file:path\", \"s3://bucket/prefix\", \"gs://…\" or \"az://…\"";
    let text = setting.read_text_without_references(EXPECTED_STORE_URL, mistakes)?;
    let place = STORE_URL_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
    if place.is_some_and(|place| !place.trim().is_empty()) {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is not the URL of a checkpoint store", setting.path);
    let a_path = !text.contains(':');
    mistakes
        .report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_STORE_URL)
        .set_hint(a_path.then(|| format!("for a directory, write \"file:{text}\"")));
    None
}

//! `[checkpoint]`: the interval and the store of checkpoints. Every field has a default.

use windrow_core::MAX_WINDOW_MS;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::CheckpointSpec;
use crate::read::duration::read_duration_ms;
use crate::read::table_reader::{PipelineSetting, TableReader};

const DEFAULT_INTERVAL_MS: i64 = 30_000;
const DEFAULT_KEPT_GENERATIONS: usize = 3;
const MAX_KEPT_GENERATIONS: i64 = 1_000;
const DEFAULT_STORE_URL: &str = "file:./.windrow/checkpoints";

pub(super) fn read_checkpoint(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<CheckpointSpec> {
    let Some(setting) = root.optional_setting("checkpoint") else {
        return Some(CheckpointSpec {
            checkpoint_interval_ms: DEFAULT_INTERVAL_MS,
            checkpoint_store_url: DEFAULT_STORE_URL.to_owned(),
            kept_generation_count: DEFAULT_KEPT_GENERATIONS,
        });
    };
    let mut checkpoint = setting.read_table("a table: `[checkpoint]`", mistakes)?;
    let every = match checkpoint.optional_setting("every") {
        Some(setting) => read_duration_ms(&setting, 1, MAX_WINDOW_MS, mistakes),
        None => Some(DEFAULT_INTERVAL_MS),
    };
    let store = match checkpoint.optional_setting("store") {
        Some(setting) => read_store_url(&setting, mistakes),
        None => Some(DEFAULT_STORE_URL.to_owned()),
    };
    let keep = match checkpoint.optional_setting("keep") {
        Some(setting) => read_kept_generations(&setting, mistakes),
        None => Some(DEFAULT_KEPT_GENERATIONS),
    };
    checkpoint.report_unknown_and_missing_fields(mistakes);
    Some(CheckpointSpec { checkpoint_interval_ms: every?, checkpoint_store_url: store?, kept_generation_count: keep? })
}

fn read_kept_generations(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<usize> {
    let expected = format!("a number of generations, 1 to {MAX_KEPT_GENERATIONS}");
    let number = setting.read_integer(&expected, mistakes)?;
    if (1..=MAX_KEPT_GENERATIONS).contains(&number) {
        return usize::try_from(number).ok();
    }
    let message = format!("`{}` cannot be {number}", setting.path);
    mistakes.report(DiagnosticCode::OutOfRange, setting.location, message, expected);
    None
}

fn read_store_url(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_STORE_URL: &str = "\"file:path\", \"s3://bucket/prefix\", \"gs://…\" or \"az://…\"";
    let text = setting.read_text(EXPECTED_STORE_URL, mistakes)?;
    let place = ["file:", "s3://", "gs://", "az://"].iter().find_map(|scheme| text.strip_prefix(scheme));
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

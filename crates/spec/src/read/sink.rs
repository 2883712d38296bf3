//! `[sink.redis]`: the Redis server to which rows are written.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};

const REDIS_URL_SCHEMES: [&str; 3] = ["redis://", "rediss://", "unix://"];

pub(super) static SINK: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "sink",
    "[sink.redis]",
    &SectionDefinition { expected: "a table: `[sink.redis]`", alternatives: &[], settings: &[&REDIS] },
    "Where rows are written.",
);
static REDIS: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "redis",
    "[sink.redis]",
    &SectionDefinition { expected: "a table: `[sink.redis]`", alternatives: &[], settings: &[&URL] },
    "The Redis server to which rows are written, one hash per row.",
);
static URL: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "url",
    "url = \"redis://localhost:6379\"",
    TextDefinition::with_pattern(TextPattern::Url { schemes: &REDIS_URL_SCHEMES, rest: r"\S+$" }),
    "The URL of the server: `redis://host:port`, `rediss://…` (TLS) or `unix://path`. It may contain a password.",
);

/// Reads the URL of the Redis server. The other Redis settings belong to single views, and are in the sections of the
/// views.
pub(super) fn read_sink_url(root: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    let mut sink = root.read_setting(&SINK, mistakes)?;
    let redis = sink.read_setting(&REDIS, mistakes);
    sink.report_unknown_and_missing_fields(mistakes);
    let mut redis = redis?;
    let url = redis.find_setting(&URL).and_then(|setting| read_redis_url(&setting, mistakes));
    redis.report_unknown_and_missing_fields(mistakes);
    url
}

fn read_redis_url(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_REDIS_URL: &str = "\"redis://host:port\", \"rediss://…\" (TLS) or \"unix://path\"";
    let text = setting.read_text(EXPECTED_REDIS_URL, mistakes)?;
    let server = REDIS_URL_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
    let fine = server.is_some_and(|server| !server.is_empty()) && !text.contains(char::is_whitespace);
    if !fine {
        let message = format!("`{}` is not the URL of a Redis server", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_REDIS_URL).redact_line();
    }
    fine.then(|| text.to_owned())
}

//! `[sink.redis]`: the Redis server to which rows are written.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::table_reader::{PipelineSetting, TableReader};

/// Reads the URL of the Redis server. The other Redis settings belong to single views, and are in the sections of the
/// views.
pub(super) fn read_sink_url(root: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    let mut sink = root.required_table("sink", "[sink.redis]", mistakes)?;
    let redis = sink.required_table("redis", "[sink.redis]", mistakes);
    sink.report_unknown_and_missing_fields(mistakes);
    let mut redis = redis?;
    let url = redis.required_setting("url", "url = \"redis://localhost:6379\"");
    let url = url.and_then(|setting| read_redis_url(&setting, mistakes));
    redis.report_unknown_and_missing_fields(mistakes);
    url
}

fn read_redis_url(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_REDIS_URL: &str = "\"redis://host:port\", \"rediss://…\" (TLS) or \"unix://path\"";
    let text = setting.read_text(EXPECTED_REDIS_URL, mistakes)?;
    let server = ["redis://", "rediss://", "unix://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let fine = server.is_some_and(|server| !server.is_empty()) && !text.contains(char::is_whitespace);
    if !fine {
        let message = format!("`{}` is not the URL of a Redis server", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_REDIS_URL).redact_line();
    }
    fine.then(|| text.to_owned())
}

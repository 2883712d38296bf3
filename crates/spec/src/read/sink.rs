//! `[sink.redis]`: where rows go.

use super::{Fields, Setting};
use crate::{
    RedisSink,
    diagnostics::{Code, Mistakes},
};

pub(super) fn read(root: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<RedisSink> {
    let mut sink = root.required_table("sink", "[sink.redis]", mistakes)?;
    let redis = sink.required_table("redis", "[sink.redis]", mistakes);
    sink.finish(mistakes);
    let mut redis = redis?;
    let url = redis.required("url", "url = \"redis://localhost:6379\"");
    let url = url.and_then(|setting| url_text(&setting, mistakes));
    redis.finish(mistakes);
    Some(RedisSink { url: url? })
}

fn url_text(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    const EXPECTED: &str = "\"redis://host:port\", \"rediss://…\" (TLS) or \"unix://path\"";
    let text = setting.text(EXPECTED, mistakes)?;
    let server = ["redis://", "rediss://", "unix://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let fine = server.is_some_and(|server| !server.is_empty()) && !text.contains(char::is_whitespace);
    if !fine {
        let message = format!("`{}` is not the address of a Redis", setting.path);
        mistakes.add(Code::BadValue, setting.at, message, EXPECTED).secret();
    }
    fine.then(|| text.to_owned())
}

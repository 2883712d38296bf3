//! `[checkpoint]`: when state is saved, and where. All of it has defaults.

use windrow_core::MAX_WINDOW_MS;

use super::{Fields, Setting, duration};
use crate::{
    Checkpoint,
    diagnostics::{Code, Mistakes},
};

const EVERY_MS: i64 = 30_000;
const KEEP: usize = 3;
const KEEP_MAX: i64 = 1_000;
const STORE: &str = "file:./.windrow/checkpoints";

pub(super) fn read(root: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<Checkpoint> {
    let Some(setting) = root.optional("checkpoint") else {
        return Some(Checkpoint { every_ms: EVERY_MS, store: STORE.to_owned(), keep: KEEP });
    };
    let mut checkpoint = setting.table("a table: `[checkpoint]`", mistakes)?;
    let every = match checkpoint.optional("every") {
        Some(setting) => duration::read(&setting, 1, MAX_WINDOW_MS, mistakes),
        None => Some(EVERY_MS),
    };
    let store = match checkpoint.optional("store") {
        Some(setting) => store(&setting, mistakes),
        None => Some(STORE.to_owned()),
    };
    let keep = match checkpoint.optional("keep") {
        Some(setting) => keep(&setting, mistakes),
        None => Some(KEEP),
    };
    checkpoint.finish(mistakes);
    Some(Checkpoint { every_ms: every?, store: store?, keep: keep? })
}

fn keep(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<usize> {
    let expected = format!("a number of generations, 1 to {KEEP_MAX}");
    let number = setting.integer(&expected, mistakes)?;
    if (1..=KEEP_MAX).contains(&number) {
        return usize::try_from(number).ok();
    }
    let message = format!("`{}` is {number}", setting.path);
    mistakes.add(Code::OutOfRange, setting.at, message, expected);
    None
}

fn store(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    const EXPECTED: &str = "\"file:path\", \"s3://bucket/prefix\", \"gs://…\" or \"az://…\"";
    let text = setting.text(EXPECTED, mistakes)?;
    let place = ["file:", "s3://", "gs://", "az://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if place.is_some_and(|place| !place.trim().is_empty()) {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is not a place for checkpoints", setting.path);
    let a_path = !text.contains(':');
    mistakes
        .add(Code::BadValue, setting.at, message, EXPECTED)
        .hint(a_path.then(|| format!("for a directory write \"file:{text}\"")));
    None
}

//! `key`: the Redis key of a view's rows, and that it is nobody else's.

use super::{PipelineSetting, suggestion::closest_name};
use crate::{
    KeySegment, KeyTemplate,
    diagnostics::{Code, DiagnosticCollector, DocumentLocation},
    key_language,
    key_template::TemplateMistake,
};

/// Comparing two templates takes time in proportion to the product of their lengths.
const MAX_TEMPLATE_BYTES: usize = 256;

/// What the keys of the fences begin with that keep stale workers from writing.
const FENCE_KEY_PREFIX: &str = "windrow:fence:";

/// A view's key and where it stands.
pub(super) struct ViewKey<'a> {
    view: &'a str,
    location: &'a DocumentLocation,
    pub(super) template: KeyTemplate,
}

pub(super) fn read_key<'a>(
    view: &'a str,
    setting: &PipelineSetting<'a>,
    key_name: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<ViewKey<'a>> {
    let user = key_name.unwrap_or("user_id");
    let example = format!("a key such as \"{view}:{{{user}}}\"");
    let text = setting.read_text(&example, mistakes)?;
    if text.len() > MAX_TEMPLATE_BYTES {
        let message = format!("`{}` is {} bytes long", setting.path, text.len());
        mistakes.report(Code::OutOfRange, setting.location, message, format!("at most {MAX_TEMPLATE_BYTES} bytes"));
        return None;
    }
    if text.starts_with(FENCE_KEY_PREFIX) {
        let message = format!("keys that begin with `{FENCE_KEY_PREFIX}` are Windrow's own");
        mistakes.report(Code::BadKey, setting.location, message, example);
        return None;
    }
    let template = match KeyTemplate::parse(text, key_name) {
        Ok(template) => template,
        Err(found) => {
            for mistake in found {
                report_template_mistake(&mistake, text, setting, user, mistakes);
            }
            return None;
        }
    };
    if let Some(example) = key_language::find_ambiguity(&template) {
        let message = format!("`{}` is both ({}) and ({})", example.key, example.first_reading, example.second_reading);
        mistakes
            .report(Code::AmbiguousKey, setting.location, message, "a key that belongs to one user and window only")
            .set_hint(format!(
                "put text that no number holds between the parts: \"{view}:{{{user}}}:{{window_start}}\""
            ));
        return None;
    }
    Some(ViewKey { view, location: setting.location, template })
}

fn report_template_mistake(
    mistake: &TemplateMistake,
    text: &str,
    setting: &PipelineSetting<'_>,
    user: &str,
    mistakes: &mut DiagnosticCollector<'_>,
) {
    let placeholders = format!("{{{user}}}, {{window_start}} or {{window_end}}");
    match mistake {
        TemplateMistake::UnmatchedBrace(range) => {
            let at = mistakes.locate_within(setting.location, text, range.clone());
            mistakes
                .report(Code::BadKey, &at, "this brace has no partner", placeholders)
                .set_hint("a brace itself is written twice: {{ or }}".to_owned());
        }
        TemplateMistake::UnknownPlaceholder(range, name) => {
            let at = mistakes.locate_within(setting.location, text, range.clone());
            let known = [user, "window_start", "window_end"];
            let hint = if name.trim() == "timestamp" { Some("window_start") } else { closest_name(name.trim(), known) };
            mistakes
                .report(Code::BadKey, &at, format!("a key cannot hold {{{}}}", name.escape_debug()), placeholders)
                .set_hint(hint.map(|name| format!("did you mean {{{name}}}?")));
        }
        TemplateMistake::RepeatedPlaceholder(range) => {
            let at = mistakes.locate_within(setting.location, text, range.clone());
            mistakes.report(Code::BadKey, &at, "this stands twice in the key", "every placeholder at most once");
        }
        TemplateMistake::MissingEntityKey => {
            mistakes
                .report(
                    Code::BadKey,
                    setting.location,
                    "all users would share this key",
                    format!("{{{user}}} in the key"),
                )
                .set_hint(format!("for example \"{text}:{{{user}}}\""));
        }
    }
}

/// Notes every view whose rows could take the place of an earlier view's rows.
pub(super) fn report_collisions(keys: &[ViewKey<'_>], mistakes: &mut DiagnosticCollector<'_>) {
    for (index, later) in keys.iter().enumerate() {
        let met = keys[..index].iter().find_map(|earlier| {
            key_language::find_collision(&earlier.template, &later.template).map(|example| (earlier, example))
        });
        let Some((earlier, example)) = met else { continue };
        let message = format!(
            "`{}` and `{}` could both write `{}`: ({}) and ({})",
            earlier.view, later.view, example.key, example.first_reading, example.second_reading
        );
        let fixed = |key: &ViewKey<'_>| match key.template.segments() {
            [KeySegment::Literal(text), ..] => text.clone(),
            _ => String::new(),
        };
        let hint = if fixed(earlier).is_empty() || fixed(later).is_empty() {
            "begin both keys with text, each with its own"
        } else {
            "let the keys begin with different text, neither the beginning of the other"
        };
        mistakes
            .report(Code::KeyCollision, later.location, message, "a key that no other view can write")
            .set_hint(hint.to_owned())
            .set_related(earlier.location, format!("the key of `{}`", earlier.view));
    }
}

//! `key`: the Redis key of a view's rows, and that it is nobody else's.

use super::{Setting, suggestion::closest};
use crate::{
    KeyTemplate, Segment,
    diagnostics::{At, Code, Mistakes},
    key_language,
    key_template::TemplateMistake,
};

/// Comparing two templates takes time in proportion to the product of their lengths.
const LONGEST_KEY_BYTES: usize = 256;

/// What the keys of the fences begin with that keep stale workers from writing.
const FENCES: &str = "windrow:fence:";

/// A view's key and where it stands.
pub(super) struct PlacedKey<'a> {
    view: &'a str,
    at: &'a At,
    pub(super) template: KeyTemplate,
}

pub(super) fn read<'a>(
    view: &'a str,
    setting: &Setting<'a>,
    key_name: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Option<PlacedKey<'a>> {
    let user = key_name.unwrap_or("user_id");
    let example = format!("a key such as \"{view}:{{{user}}}\"");
    let text = setting.text(&example, mistakes)?;
    if text.len() > LONGEST_KEY_BYTES {
        let message = format!("`{}` is {} bytes long", setting.path, text.len());
        mistakes.add(Code::OutOfRange, setting.at, message, format!("at most {LONGEST_KEY_BYTES} bytes"));
        return None;
    }
    if text.starts_with(FENCES) {
        let message = format!("keys that begin with `{FENCES}` are Windrow's own");
        mistakes.add(Code::BadKey, setting.at, message, example);
        return None;
    }
    let template = match KeyTemplate::parse(text, key_name) {
        Ok(template) => template,
        Err(found) => {
            for mistake in found {
                report(&mistake, text, setting, user, mistakes);
            }
            return None;
        }
    };
    if let Some(example) = key_language::ambiguity(&template) {
        let message = format!("`{}` is both ({}) and ({})", example.key, example.first, example.second);
        mistakes
            .add(Code::AmbiguousKey, setting.at, message, "a key that belongs to one user and window only")
            .hint(format!("put text that no number holds between the parts: \"{view}:{{{user}}}:{{window_start}}\""));
        return None;
    }
    Some(PlacedKey { view, at: setting.at, template })
}

fn report(mistake: &TemplateMistake, text: &str, setting: &Setting<'_>, user: &str, mistakes: &mut Mistakes<'_>) {
    let placeholders = format!("{{{user}}}, {{window_start}} or {{window_end}}");
    match mistake {
        TemplateMistake::LoneBrace(range) => {
            let at = mistakes.inside(setting.at, text, range.clone());
            mistakes
                .add(Code::BadKey, &at, "this brace has no partner", placeholders)
                .hint("a brace itself is written twice: {{ or }}".to_owned());
        }
        TemplateMistake::UnknownPlaceholder(range, name) => {
            let at = mistakes.inside(setting.at, text, range.clone());
            let known = [user, "window_start", "window_end"];
            let hint = if name.trim() == "timestamp" { Some("window_start") } else { closest(name.trim(), known) };
            mistakes
                .add(Code::BadKey, &at, format!("a key cannot hold {{{}}}", name.escape_debug()), placeholders)
                .hint(hint.map(|name| format!("did you mean {{{name}}}?")));
        }
        TemplateMistake::Repeated(range) => {
            let at = mistakes.inside(setting.at, text, range.clone());
            mistakes.add(Code::BadKey, &at, "this stands twice in the key", "every placeholder at most once");
        }
        TemplateMistake::NoKey => {
            mistakes
                .add(Code::BadKey, setting.at, "all users would share this key", format!("{{{user}}} in the key"))
                .hint(format!("for example \"{text}:{{{user}}}\""));
        }
    }
}

/// Notes every view whose rows could take the place of an earlier view's rows.
pub(super) fn collisions(keys: &[PlacedKey<'_>], mistakes: &mut Mistakes<'_>) {
    for (index, later) in keys.iter().enumerate() {
        let met = keys[..index].iter().find_map(|earlier| {
            key_language::collision(&earlier.template, &later.template).map(|example| (earlier, example))
        });
        let Some((earlier, example)) = met else { continue };
        let message = format!(
            "`{}` and `{}` could both write `{}`: ({}) and ({})",
            earlier.view, later.view, example.key, example.first, example.second
        );
        let fixed = |key: &PlacedKey<'_>| match key.template.segments() {
            [Segment::Literal(text), ..] => text.clone(),
            _ => String::new(),
        };
        let hint = if fixed(earlier).is_empty() || fixed(later).is_empty() {
            "begin both keys with text, each with its own"
        } else {
            "let the keys begin with different text, neither the beginning of the other"
        };
        mistakes
            .add(Code::KeyCollision, later.at, message, "a key that no other view can write")
            .hint(hint.to_owned())
            .related(earlier.at, format!("the key of `{}`", earlier.view));
    }
}

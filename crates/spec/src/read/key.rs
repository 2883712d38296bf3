//! `key`: the template of the Redis keys of a view's rows. Different users, windows or views must never share a key.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::key_collisions::{find_collision, find_self_collision};
use crate::key_template::{KeySegment, KeyTemplate, TemplateMistake};
use crate::read::setting::PipelineSetting;
use crate::suggestion::find_closest_name;

/// The longest allowed key template, in bytes. Templates are limited because comparing two templates takes time in
/// proportion to the product of their lengths.
pub(super) const MAX_TEMPLATE_BYTES: usize = 256;

/// The prefix of the Redis keys of fences. A view must not write such keys: its rows would overwrite the fences.
const FENCE_KEY_PREFIX: &str = "windrow:fence:";

/// The key template of a view, and the location of the template in the file.
pub(super) struct ViewKeyTemplate<'a> {
    view_name: &'a str,
    location: &'a DocumentLocation,
    pub(super) template: KeyTemplate,
}

pub(super) fn read_key_template<'a>(
    view: &'a str,
    setting: &PipelineSetting<'a>,
    entity_key_name: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<ViewKeyTemplate<'a>> {
    let user = entity_key_name.unwrap_or("user_id");
    let example = format!("a key such as \"{view}:{{{user}}}\"");
    let text = setting.read_text(&example, mistakes)?;
    if text.len() > MAX_TEMPLATE_BYTES {
        let message = format!("`{}` is {} bytes long", setting.path, text.len());
        mistakes.report(
            DiagnosticCode::OutOfRange,
            setting.location,
            message,
            format!("at most {MAX_TEMPLATE_BYTES} bytes"),
        );
        return None;
    }
    if text.starts_with(FENCE_KEY_PREFIX) {
        let message = format!("keys that begin with `{FENCE_KEY_PREFIX}` are reserved for Windrow's fences");
        mistakes.report(DiagnosticCode::BadKey, setting.location, message, example);
        return None;
    }
    let template = match KeyTemplate::parse(text, entity_key_name) {
        Ok(template) => template,
        Err(found) => {
            for mistake in found {
                report_template_mistake(&mistake, text, setting, user, mistakes);
            }
            return None;
        }
    };
    if let Some(example) = find_self_collision(&template) {
        let message = format!(
            "the key `{}` can mean both ({}) and ({})",
            example.example_key, example.first_interpretation, example.second_interpretation
        );
        mistakes
            .report(
                DiagnosticCode::AmbiguousKey,
                setting.location,
                message,
                "a key that belongs to one user and window only",
            )
            .set_hint(format!(
                "put text that cannot be part of a number between the placeholders: \"{view}:{{{user}}}:{{window_start}}\""
            ));
        return None;
    }
    Some(ViewKeyTemplate { view_name: view, location: setting.location, template })
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
            let at = mistakes.locate_part_of_value(setting.location, text, range.clone());
            mistakes
                .report(DiagnosticCode::BadKey, &at, "this brace has no matching brace", placeholders)
                .set_hint("write a literal brace twice: {{ or }}".to_owned());
        }
        TemplateMistake::UnknownPlaceholder(range, name) => {
            let at = mistakes.locate_part_of_value(setting.location, text, range.clone());
            let known = [user, "window_start", "window_end"];
            let hint =
                if name.trim() == "timestamp" { Some("window_start") } else { find_closest_name(name.trim(), known) };
            mistakes
                .report(
                    DiagnosticCode::BadKey,
                    &at,
                    format!("{{{}}} is not a placeholder", name.escape_debug()),
                    placeholders,
                )
                .set_hint(hint.map(|name| format!("did you mean {{{name}}}?")));
        }
        TemplateMistake::RepeatedPlaceholder(range) => {
            let at = mistakes.locate_part_of_value(setting.location, text, range.clone());
            mistakes.report(
                DiagnosticCode::BadKey,
                &at,
                "this placeholder occurs twice in the key",
                "each placeholder at most once",
            );
        }
        TemplateMistake::MissingEntityKey => {
            mistakes
                .report(
                    DiagnosticCode::BadKey,
                    setting.location,
                    "all users would share this key",
                    format!("{{{user}}} in the key"),
                )
                .set_hint(format!("for example \"{text}:{{{user}}}\""));
        }
    }
}

/// Reports every view whose rows could overwrite the rows of an earlier view in the file.
pub(super) fn report_key_collisions(keys: &[ViewKeyTemplate<'_>], mistakes: &mut DiagnosticCollector<'_>) {
    for (index, later) in keys.iter().enumerate() {
        let met = keys[..index]
            .iter()
            .find_map(|earlier| find_collision(&earlier.template, &later.template).map(|example| (earlier, example)));
        let Some((earlier, example)) = met else { continue };
        let (first, second) = (&example.first_interpretation, &example.second_interpretation);
        let rows = if first == second {
            format!("both for {first}")
        } else {
            format!("the first for {first}, the second for {second}")
        };
        let message = format!(
            "views `{}` and `{}` could both write the key `{}`: {rows}",
            earlier.view_name, later.view_name, example.example_key
        );
        let fixed = |key: &ViewKeyTemplate<'_>| match key.template.segments() {
            [KeySegment::Literal(text), ..] => text.clone(),
            _ => String::new(),
        };
        let hint = if fixed(earlier).is_empty() || fixed(later).is_empty() {
            "begin each key with a different text"
        } else {
            "begin each key with text that is not the beginning of the other key"
        };
        mistakes
            .report(DiagnosticCode::KeyCollision, later.location, message, "a key that no other view can write")
            .set_hint(hint.to_owned())
            .set_related(earlier.location, format!("the key of `{}`", earlier.view_name));
    }
}

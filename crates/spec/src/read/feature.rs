//! `[feature_view.NAME.features]`: what is computed in a window.
//!
//! Owns: which aggregate takes which type of field, and what a default must be. Does not own: `where`
//! ([`super::condition`]).

use windrow_core::{Aggregate, DurationUnit, Feature, FieldId, FieldType, Literal};

use super::{
    Setting, condition,
    event::{Lookup, Vocabulary},
    name,
    suggestion::did_you_mean,
};
use crate::{
    diagnostics::{Code, Mistakes},
    document::Value,
};

const AGGREGATES: [&str; 9] = ["count", "sum", "avg", "min", "max", "first", "last", "count_distinct", "duration"];
const EXPECTED: &str = "one aggregate, for example `{ count = \"*\" }` or `{ avg = \"price\" }`";

/// All features of a view; `None` where one of them has a mistake.
pub(super) fn read_all(setting: &Setting<'_>, words: &Vocabulary, mistakes: &mut Mistakes<'_>) -> Option<Vec<Feature>> {
    let table = setting.table("a table with a line for each feature", mistakes)?;
    if table.table.entries.is_empty() {
        mistakes.add(Code::MissingField, setting.at, "the view has no features", "`NAME = { count = \"*\" }`");
        return None;
    }
    let mut features = Vec::new();
    for entry in &table.table.entries {
        let at = &entry.name_at;
        let named = name::field("a feature", &entry.name, at, mistakes)
            && name::free_in_row("a feature", &entry.name, words.key.as_deref(), at, mistakes);
        let feature = read(&entry.name, &table.setting.child(&entry.name, &entry.node), words, mistakes);
        features.push(feature.filter(|_| named));
    }
    features.into_iter().collect()
}

fn read(name: &str, setting: &Setting<'_>, words: &Vocabulary, mistakes: &mut Mistakes<'_>) -> Option<Feature> {
    let mut table = setting.table(EXPECTED, mistakes)?;
    let present: Vec<(&str, Setting<'_>)> =
        AGGREGATES.into_iter().filter_map(|one| table.optional(one).map(|setting| (one, setting))).collect();
    let condition = match table.optional("where") {
        Some(setting) => condition::read(&setting, words, mistakes).map(Some),
        None => Some(None),
    };
    let default = table.optional("default");
    let misspelt = table.table.entries.iter().any(|entry| did_you_mean(&entry.name, AGGREGATES).is_some());
    table.finish(mistakes);

    let aggregate = match present.as_slice() {
        [(kind, setting)] => aggregate(kind, setting, words, mistakes),
        [] if misspelt => None,
        [] => {
            mistakes.add(Code::MissingField, setting.at, format!("`{name}` computes nothing"), EXPECTED);
            None
        }
        [(_, first), (_, second), ..] => {
            mistakes
                .add(Code::ConflictingFields, second.at, format!("`{name}` computes several things"), EXPECTED)
                .related(first.at, "the first one".to_owned());
            None
        }
    };
    let output = aggregate.and_then(|(_, output)| output);
    let default = match default {
        Some(setting) => read_default(&setting, output, mistakes).map(Some),
        None => Some(None),
    };
    Some(Feature { name: name.into(), aggregate: aggregate?.0, condition: condition?, default: default? })
}

/// The aggregate, and the type of what it computes where that is known.
fn aggregate(
    kind: &str,
    setting: &Setting<'_>,
    words: &Vocabulary,
    mistakes: &mut Mistakes<'_>,
) -> Option<(Aggregate, Option<FieldType>)> {
    if kind == "duration" {
        return duration_unit(setting, mistakes).map(|unit| (Aggregate::Duration(unit), Some(FieldType::Long)));
    }
    let expected = if kind == "count" { "\"*\" or the name of a field" } else { "the name of a field" };
    let name = setting.text(expected, mistakes)?;
    if name == "*" {
        if kind == "count" {
            return Some((Aggregate::Count, Some(FieldType::Long)));
        }
        let message = format!("`{kind}` needs a field; only `count` takes \"*\"");
        mistakes.add(Code::BadValue, setting.at, message, expected);
        return None;
    }
    let (field, field_type) = match words.find(name) {
        Lookup::Found(field, field_type) => (field, field_type),
        Lookup::Undeclared { expected, hint } => {
            mistakes
                .add(Code::UndeclaredField, setting.at, format!("events have no field `{name}`"), expected)
                .hint(hint);
            return None;
        }
        // A stand-in: the pipeline is refused for the event's own mistakes.
        Lookup::Unclear => (FieldId(0), None),
    };
    let accepted: &[FieldType] = match kind {
        "sum" | "avg" => &[FieldType::Double, FieldType::Long],
        "min" | "max" => &[FieldType::Double, FieldType::Long, FieldType::String],
        _ => &[FieldType::Double, FieldType::Long, FieldType::String, FieldType::Boolean],
    };
    if let Some(field_type) = field_type.filter(|one| !accepted.contains(one)) {
        let message = format!("`{kind}` cannot take `{name}`, which is a {}", field_type.name());
        let expected = if accepted.len() == 2 { "a double or a long" } else { "a double, a long or a string" };
        mistakes.add(Code::TypeMismatch, setting.at, message, expected);
        return None;
    }
    let (aggregate, output) = match kind {
        "count" => (Aggregate::CountField(field), Some(FieldType::Long)),
        "sum" => (Aggregate::Sum(field), field_type),
        "avg" => (Aggregate::Avg(field), Some(FieldType::Double)),
        "min" => (Aggregate::Min(field), field_type),
        "max" => (Aggregate::Max(field), field_type),
        "first" => (Aggregate::First(field), field_type),
        "last" => (Aggregate::Last(field), field_type),
        _ => (Aggregate::CountDistinct(field), Some(FieldType::Long)),
    };
    Some((aggregate, output))
}

fn duration_unit(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<DurationUnit> {
    const EXPECTED: &str = "\"milliseconds\", \"seconds\" or \"minutes\"";
    match setting.text(EXPECTED, mistakes)? {
        "milliseconds" => Some(DurationUnit::Milliseconds),
        "seconds" => Some(DurationUnit::Seconds),
        "minutes" => Some(DurationUnit::Minutes),
        other => {
            let message = format!("`{}` is not a unit of durations", setting.path);
            mistakes
                .add(Code::BadValue, setting.at, message, EXPECTED)
                .hint(did_you_mean(other, ["milliseconds", "seconds", "minutes"]));
            None
        }
    }
}

/// `output`: the type of the feature, `None` where its own mistakes hide it.
#[allow(clippy::cast_precision_loss)] // as in TOML itself, where 1 and 1.0 are one number to people
fn read_default(setting: &Setting<'_>, output: Option<FieldType>, mistakes: &mut Mistakes<'_>) -> Option<Literal> {
    match (output?, setting.value) {
        (FieldType::Double, Value::Float(number)) if number.is_finite() => Some(Literal::Double(*number)),
        (FieldType::Double, Value::Integer(number)) => Some(Literal::Double(*number as f64)),
        (FieldType::Long, Value::Integer(number)) => Some(Literal::Long(*number)),
        (FieldType::String, Value::Text(text)) => Some(Literal::String(text.as_str().into())),
        (FieldType::Boolean, Value::Boolean(truth)) => Some(Literal::Boolean(*truth)),
        (_, Value::Broken) => None,
        (output, value) => {
            let message =
                format!("`{}` is {}, but the feature is a {}", setting.path, value.type_name(), output.name());
            let expected = match output {
                FieldType::Double => "a finite number such as 0.0",
                FieldType::Long => "an integer such as 0",
                FieldType::String => "text such as \"none\"",
                FieldType::Boolean => "true or false",
            };
            mistakes.add(Code::TypeMismatch, setting.at, message, expected);
            None
        }
    }
}

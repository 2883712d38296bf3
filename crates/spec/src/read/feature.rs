//! `[feature_view.NAME.features]`: the features of a view.
//!
//! Owns: the rules that say which types of fields each aggregate accepts, and which type `default` must have. Does not
//! own: the condition in `where` ([`crate::read::condition`]).

use serde_json::{Value, json};
use windrow_core::{Aggregate, DurationUnit, Feature, FieldId, FieldType, Literal};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::condition::{MAX_CONDITION_BYTES, read_condition};
use crate::read::event::{EventFields, FieldLookupResult};
use crate::read::foreign_names::{suggest_aggregate, suggest_feature_setting, suggest_in_place_of_expression};
use crate::read::name::{RESERVED_ROW_FIELDS, require_unreserved_name, require_valid_field_name};
use crate::read::named_entries::NamedEntries;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition, SettingValue};
use crate::read::setting::{MistakeAlreadyReported, PipelineSetting};
use crate::read::table_reader::{TableReader, UnknownFieldRules};
use crate::read::text::{TextDefinition, TextPattern};
use crate::read::word_choice::WordChoice;
use crate::suggestion::{build_closest_name_hint, find_closest_name, join_names_with_or};

const EXPECTED_AGGREGATE: &str = "one aggregate, for example `{ count = \"*\" }` or `{ avg = \"price\" }`";

pub(super) static FEATURES: SettingDefinition<NamedEntries> = SettingDefinition::required(
    "features",
    "features.NAME = { count = \"*\" }",
    NamedEntries {
        name: TextPattern::FieldName { reserved: &RESERVED_ROW_FIELDS, forbidden_characters: "" },
        entry: &FEATURE,
        min_count: 1,
    },
    "The features of the view, each with one aggregate.",
);
static FEATURE: &SectionDefinition = &SectionDefinition {
    expected: EXPECTED_AGGREGATE,
    alternatives: &[&COUNT, &SUM, &AVG, &MIN, &MAX, &FIRST, &LAST, &COUNT_DISTINCT, &DURATION],
    settings: &[&WHERE, &DEFAULT],
};
static COUNT: SettingDefinition<TextDefinition> =
    define_aggregate("count", "The number of events (`\"*\"`), or of events in which the field is not null.");
static SUM: SettingDefinition<TextDefinition> = define_aggregate("sum", "The sum of a field of numbers.");
static AVG: SettingDefinition<TextDefinition> = define_aggregate("avg", "The average of a field of numbers.");
static MIN: SettingDefinition<TextDefinition> = define_aggregate("min", "The smallest value of a field.");
static MAX: SettingDefinition<TextDefinition> = define_aggregate("max", "The largest value of a field.");
static FIRST: SettingDefinition<TextDefinition> =
    define_aggregate("first", "The value of a field in the event with the earliest event time.");
static LAST: SettingDefinition<TextDefinition> =
    define_aggregate("last", "The value of a field in the event with the latest event time.");
static COUNT_DISTINCT: SettingDefinition<TextDefinition> =
    define_aggregate("count_distinct", "The number of different values of a field, estimated.");
static DURATION: SettingDefinition<WordChoice<DurationUnit>> = SettingDefinition::optional(
    "duration",
    WordChoice {
        words: &[
            ("milliseconds", DurationUnit::Milliseconds),
            ("seconds", DurationUnit::Seconds),
            ("minutes", DurationUnit::Minutes),
        ],
        is_optional: false,
        noun: Some("a unit of time"),
    },
    "The time from the first to the last event, in whole units.",
);
static WHERE: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "where",
    TextDefinition { pattern: TextPattern::NotBlank, max_bytes: Some(MAX_CONDITION_BYTES), default: None },
    "A condition in SQL. The feature uses only the events for which it is true.",
);
static DEFAULT: SettingDefinition<DefaultValue> = SettingDefinition::optional(
    "default",
    DefaultValue,
    "The value of the feature in a row if no event has one. It has the type of the feature.",
);

/// Defines an aggregate of a field.
const fn define_aggregate(name: &'static str, description: &'static str) -> SettingDefinition<TextDefinition> {
    SettingDefinition::optional(name, TextDefinition::NOT_BLANK, description)
}

/// The value of a feature without events.
struct DefaultValue;

impl SettingValue for DefaultValue {
    fn to_schema(&self) -> Value {
        json!({ "type": ["number", "string", "boolean"] })
    }
}

/// Reads all features of a view. Returns `None` if a feature has a mistake.
pub(super) fn read_features(
    setting: &PipelineSetting<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<Feature>> {
    let table = setting.read_table("a table with a line for each feature", mistakes)?;
    if table.entries.is_empty() {
        mistakes.report(
            DiagnosticCode::MissingField,
            setting.location,
            "the view has no features",
            "`NAME = { count = \"*\" }`",
        );
        return None;
    }
    let mut features = Vec::new();
    for entry in &table.entries {
        let at = &entry.name_location;
        let named = require_valid_field_name("a feature", &entry.name, at, mistakes)
            && require_unreserved_name("a feature", &entry.name, event_fields.entity_key_name.as_deref(), at, mistakes);
        let feature =
            read_feature(&entry.name, &setting.child_setting(&entry.name, &entry.node), event_fields, mistakes);
        features.push(feature.filter(|_| named));
    }
    features.into_iter().collect()
}

fn read_feature(
    name: &str,
    setting: &PipelineSetting<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Feature> {
    let mut table = FEATURE.read_value(setting, mistakes)?;
    let present = table.find_alternatives();
    let condition = match table.find_setting(&WHERE) {
        Some(setting) => read_condition(&setting, event_fields, mistakes).map(Some).ok_or(MistakeAlreadyReported),
        None => Ok(None),
    };
    let default = table.find_setting(&DEFAULT);
    let unknown_aggregate = if present.is_empty() { report_unknown_aggregate(&table, mistakes) } else { None };
    let ignored_names = unknown_aggregate.as_deref().unwrap_or_default();
    let foreign_name_hint = Some(suggest_feature_setting as fn(&str) -> _);
    table.report_unknown_and_missing_fields_with(&UnknownFieldRules { ignored_names, foreign_name_hint }, mistakes);

    let aggregate = match present.as_slice() {
        [(kind, setting)] => read_aggregate(kind, setting, event_fields, mistakes),
        [] if unknown_aggregate.is_some() => None,
        [] => {
            mistakes.report(
                DiagnosticCode::MissingField,
                setting.location,
                format!("feature `{name}` has no aggregate"),
                EXPECTED_AGGREGATE,
            );
            None
        }
        [(_, first), (_, second), ..] => {
            mistakes
                .report(
                    DiagnosticCode::ConflictingFields,
                    second.location,
                    format!("feature `{name}` has more than one aggregate"),
                    EXPECTED_AGGREGATE,
                )
                .set_related(first.location, "the first aggregate".to_owned());
            None
        }
    };
    let output = aggregate.as_ref().and_then(|aggregate| aggregate.output_type);
    let default = match default {
        Some(setting) => read_default_value(&setting, output, mistakes).map(Some).ok_or(MistakeAlreadyReported),
        None => Ok(None),
    };
    Some(Feature {
        name: name.into(),
        aggregate: aggregate?.aggregate,
        condition: condition.ok()?,
        default_value: default.ok()?,
    })
}

/// Reports an unknown name that probably stands for an aggregate. Returns the names that this mistake covers: the
/// aggregate and its parameters. Returns `None` if the table has no such name.
fn report_unknown_aggregate<'a>(
    table: &TableReader<'a>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<&'a str>> {
    let is_misspelt_setting = |name: &str| find_closest_name(name, ["where", "default"]).is_some();
    let closest_aggregate = |name: &str| build_closest_name_hint(name, FEATURE.alternative_names());
    let covered: Vec<_> = table.unknown_entries().filter(|entry| !is_misspelt_setting(&entry.name)).collect();
    let is_known_elsewhere = |name: &str| closest_aggregate(name).is_some() || suggest_aggregate(name).is_some();
    let entry = covered.iter().find(|entry| is_known_elsewhere(&entry.name)).or(covered.first())?;
    let hint = suggest_aggregate(&entry.name).map(str::to_owned).or_else(|| closest_aggregate(&entry.name));
    let message = format!("there is no aggregate `{}`", entry.name);
    // A name that no other system uses may also stand for another setting of a feature.
    let expected = match hint {
        Some(_) => join_names_with_or(FEATURE.alternative_names()),
        None => join_names_with_or(FEATURE.setting_names()),
    };
    mistakes.report(DiagnosticCode::UnknownField, &entry.name_location, message, expected).set_hint(hint);
    Some(covered.iter().map(|entry| entry.name.as_str()).collect())
}

/// An aggregate and the type of its result. The type is `None` if the declaration of the aggregated field has a
/// mistake.
struct TypedAggregate {
    aggregate: Aggregate,
    output_type: Option<FieldType>,
}

impl TypedAggregate {
    const fn new(aggregate: Aggregate, output_type: Option<FieldType>) -> Self {
        Self { aggregate, output_type }
    }

    const fn with_long_result(aggregate: Aggregate) -> Self {
        Self::new(aggregate, Some(FieldType::Long))
    }
}

fn read_aggregate(
    kind: &str,
    setting: &PipelineSetting<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<TypedAggregate> {
    if kind == "duration" {
        return DURATION
            .value
            .read_value(setting, mistakes)
            .map(|unit| TypedAggregate::with_long_result(Aggregate::Duration(unit)));
    }
    let expected = if kind == "count" { "\"*\" or the name of a field" } else { "the name of a field" };
    let name = setting.read_text(expected, mistakes)?;
    if name == "*" {
        if kind == "count" {
            return Some(TypedAggregate::with_long_result(Aggregate::Count));
        }
        let message = format!("`{kind}` needs a field; only `count` takes \"*\"");
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, expected);
        return None;
    }
    let likely_type = if matches!(kind, "sum" | "avg") { FieldType::Double } else { FieldType::String };
    let (field, field_type) = match event_fields.find_field_of_likely_type(name, likely_type) {
        FieldLookupResult::Found(field, field_type) => (field, field_type),
        FieldLookupResult::Undeclared { expected: fields, hint } => {
            if let Some(hint) = suggest_in_place_of_expression(kind, name) {
                let message = format!("`{kind}` takes {expected}, not an expression such as `{}`", name.escape_debug());
                mistakes.report(DiagnosticCode::BadValue, setting.location, message, fields).set_hint(hint);
            } else {
                let message = format!("events have no field `{name}`");
                mistakes.report(DiagnosticCode::UndeclaredField, setting.location, message, fields).set_hint(hint);
            }
            return None;
        }
        // The section `[event]` has mistakes, so the pipeline is rejected in any case. The aggregate is never used, so
        // any field can stand for the unknown field.
        FieldLookupResult::Undetermined => (FieldId(0), None),
    };
    let accepted: &[FieldType] = match kind {
        "sum" | "avg" => &[FieldType::Double, FieldType::Long],
        "min" | "max" => &[FieldType::Double, FieldType::Long, FieldType::String],
        _ => &[FieldType::Double, FieldType::Long, FieldType::String, FieldType::Boolean],
    };
    if let Some(field_type) = field_type.filter(|one| !accepted.contains(one)) {
        let message = format!("`{kind}` does not accept the field `{name}`, which is a {}", field_type.type_name());
        let expected = if accepted.len() == 2 { "a double or a long" } else { "a double, a long or a string" };
        mistakes.report(DiagnosticCode::TypeMismatch, setting.location, message, expected);
        return None;
    }
    Some(match kind {
        "count" => TypedAggregate::with_long_result(Aggregate::CountField(field)),
        "sum" => TypedAggregate::new(Aggregate::Sum(field), field_type),
        "avg" => TypedAggregate::new(Aggregate::Avg(field), Some(FieldType::Double)),
        "min" => TypedAggregate::new(Aggregate::Min(field), field_type),
        "max" => TypedAggregate::new(Aggregate::Max(field), field_type),
        "first" => TypedAggregate::new(Aggregate::First(field), field_type),
        "last" => TypedAggregate::new(Aggregate::Last(field), field_type),
        _ => TypedAggregate::with_long_result(Aggregate::CountDistinct(field)),
    })
}

/// Reads the default of a feature whose values have the type `output`. Returns `None` if the default has a mistake, or
/// if `output` is `None`.
fn read_default_value(
    setting: &PipelineSetting<'_>,
    output: Option<FieldType>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Literal> {
    match (output?, setting.value) {
        (FieldType::Double, DocumentValue::Float(number)) if number.is_finite() => Some(Literal::Double(*number)),
        // In a default, 1 means 1.0.
        (FieldType::Double, DocumentValue::Integer(number)) => Some(Literal::Double(*number as f64)),
        (FieldType::Long, DocumentValue::Integer(number)) => Some(Literal::Long(*number)),
        (FieldType::String, DocumentValue::Text(text)) => Some(Literal::String(text.as_str().into())),
        (FieldType::Boolean, DocumentValue::Boolean(truth)) => Some(Literal::Boolean(*truth)),
        (_, DocumentValue::Invalid) => None,
        (output, value) => {
            let message =
                format!("`{}` is {}, but the feature is a {}", setting.path, value.describe_type(), output.type_name());
            let expected = match output {
                FieldType::Double => "a finite number such as 0.0",
                FieldType::Long => "an integer such as 0",
                FieldType::String => "text such as \"none\"",
                FieldType::Boolean => "true or false",
            };
            mistakes.report(DiagnosticCode::TypeMismatch, setting.location, message, expected);
            None
        }
    }
}

//! `[event]` and `[event.fields]`: the format of an event, and the fields that features and conditions may name.

use jiff::tz::TimeZone;
use windrow_core::{ENTITY_KEY_FIELD, EventField, EventFormat, EventSchema, FieldId, FieldType, TypeConversion};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::DocumentValue;
use crate::pipeline::EventSpec;
use crate::read::event_time::{EventTimeSettings, TIME, TIME_ZONE, read_event_time, read_time_zone};
use crate::read::integer::{IntegerRange, IntegerUnit};
use crate::read::name::{RESERVED_ROW_FIELDS, require_unreserved_name, require_valid_field_name};
use crate::read::named_entries::NamedEntries;
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::setting::{PipelineSetting, join_path};
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};
use crate::read::word_choice::WordChoice;
use crate::suggestion::{build_closest_name_hint, join_names_with_or};

/// The hint for a name that looks like a path.
pub(super) const NOT_A_PATH_HINT: &str =
    "a dot is not a path into an object; only members at the top level of an event are fields, so copy the value there";

/// The largest allowed value of `max_key_bytes`. With default settings, Kafka rejects a record with a longer entity
/// key.
const MAX_KEY_BYTES_LIMIT: i64 = 1_024 * 1_024;

pub(super) static EVENT: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "event",
    "[event]",
    &SectionDefinition {
        expected: "a table: `[event]`",
        alternatives: &[],
        settings: &[&FORMAT, &KEY, &TIME, &TIME_ZONE, &MAX_KEY_BYTES, &MAX_FIELD_BYTES, &TYPES, &FIELDS],
    },
    "The format of an event, and its fields.",
);
static FORMAT: SettingDefinition<WordChoice<EventFormat>> = SettingDefinition::optional(
    "format",
    WordChoice { words: &[("json", EventFormat::Json)], is_optional: true, noun: Some("a supported event format") },
    "The encoding of an event in a record.",
);
static KEY: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "key",
    "key = \"user_id\"",
    TextDefinition::with_pattern(TextPattern::FieldName { reserved: &RESERVED_ROW_FIELDS, forbidden_characters: "{}" }),
    "The name of the JSON member with the entity key.",
);
static MAX_KEY_BYTES: SettingDefinition<IntegerRange> = SettingDefinition::optional(
    "max_key_bytes",
    IntegerRange { min: 1, max: MAX_KEY_BYTES_LIMIT, default: 1_024, unit: IntegerUnit::Bytes },
    "The longest entity key, in bytes of UTF-8. A record with a longer key is a dead letter.",
);
static MAX_FIELD_BYTES: SettingDefinition<IntegerRange> = SettingDefinition::optional(
    "max_field_bytes",
    IntegerRange { min: 1, max: MAX_KEY_BYTES_LIMIT, default: 1_024, unit: IntegerUnit::Bytes },
    "The longest text that `min`, `max`, `first` and `last` keep, in bytes of UTF-8. To them, a longer text is NULL.",
);
static TYPES: SettingDefinition<WordChoice<TypeConversion>> = SettingDefinition::optional(
    "types",
    WordChoice {
        words: &[("lenient", TypeConversion::Lenient), ("strict", TypeConversion::Strict)],
        is_optional: true,
        noun: None,
    },
    "Which values of another type than declared are read: those that Flink's JSON format reads and that can be read \
     exactly, such as `\"29.99\"` for a double, or none.",
);
static FIELDS: SettingDefinition<NamedEntries> = SettingDefinition::optional(
    "fields",
    NamedEntries {
        name: TextPattern::FieldName { reserved: &[], forbidden_characters: "" },
        entry: &FIELD_TYPES,
        min_count: 0,
    },
    "The other fields of an event, each with its type. Only features and conditions need them.",
);
static FIELD_TYPES: WordChoice<FieldType> = WordChoice {
    words: &[
        (FieldType::String.type_name(), FieldType::String),
        (FieldType::Double.type_name(), FieldType::Double),
        (FieldType::Long.type_name(), FieldType::Long),
        (FieldType::Boolean.type_name(), FieldType::Boolean),
    ],
    is_optional: false,
    noun: Some("a field type"),
};

/// The fields whose names could be read from the section `[event]`. The code that reads the sections of
/// feature views uses these fields, even if the section `[event]` has mistakes.
#[derive(Debug, Default)]
pub(super) struct EventFields {
    /// The entity key's name.
    pub(super) entity_key_name: Option<String>,
    /// The name of the JSON member with the event time.
    event_time_name: Option<String>,
    declared_fields: Vec<DeclaredField>,
    /// Whether the names of all fields could be read. If not, a name that is not found may still be a field, so readers
    /// do not report it.
    is_complete: bool,
}

/// A field of `[event.fields]`.
#[derive(Debug)]
struct DeclaredField {
    name: String,
    /// The declared type, or `None` if the file declares a type that does not exist.
    field_type: Option<FieldType>,
}

pub(super) enum FieldLookupResult {
    /// The field is declared. The first value is its position. The second value is its type, or `None` if the declared
    /// type is a mistake.
    Found(FieldId, Option<FieldType>),
    /// The field is not declared.
    Undeclared {
        /// The names of the declared fields, as text for the message.
        expected: String,
        /// A hint for the message.
        hint: Option<String>,
    },
    /// The section `[event]` has mistakes, so it is unknown whether the field is declared.
    Undetermined,
}

impl EventFields {
    pub(super) fn find_field(&self, name: &str) -> FieldLookupResult {
        self.find_field_of_likely_type(name, FieldType::String)
    }

    /// Finds a field. The hint for an undeclared field declares it with the type `likely_type`.
    pub(super) fn find_field_of_likely_type(&self, name: &str, likely_type: FieldType) -> FieldLookupResult {
        if self.entity_key_name.as_deref() == Some(name) {
            return FieldLookupResult::Found(ENTITY_KEY_FIELD, Some(FieldType::String));
        }
        if let Some(index) = self.declared_fields.iter().position(|field| field.name == name) {
            return FieldLookupResult::Found(
                FieldId(ENTITY_KEY_FIELD.0 + 1 + index),
                self.declared_fields[index].field_type,
            );
        }
        if !self.is_complete {
            return FieldLookupResult::Undetermined;
        }
        let names = || {
            self.entity_key_name.iter().chain(self.declared_fields.iter().map(|field| &field.name)).map(String::as_str)
        };
        let hint = if self.event_time_name.as_deref() == Some(name) {
            Some(
                "the event time is not a field; windows, `first`, `last` and `duration` use it by themselves"
                    .to_owned(),
            )
        } else {
            let declaration = || {
                let type_name = likely_type.type_name();
                format!("declare the field under [event.fields]: `{} = \"{type_name}\"`", join_path("", name))
            };
            let hint = if is_path(name) { NOT_A_PATH_HINT.to_owned() } else { declaration() };
            Some(build_closest_name_hint(name, names()).unwrap_or(hint))
        };
        FieldLookupResult::Undeclared { expected: join_names_with_or(names()), hint }
    }
}

/// Returns whether `name` looks like a path into nested objects.
fn is_path(name: &str) -> bool {
    name.contains(['.', '[', '$']) || name.contains("->")
}

pub(super) fn read_event(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> (Option<EventSpec>, EventFields) {
    let Some(mut event) = root.read_setting(&EVENT, mistakes) else {
        return (None, EventFields::default());
    };
    let format = event.read_setting(&FORMAT, mistakes);
    let key = event.find_setting(&KEY).and_then(|setting| read_entity_key_name(&setting, mistakes));
    let time = event.find_setting(&TIME).and_then(|setting| read_event_time(&setting, key, mistakes));
    let time_field = time.as_ref().map(|time| time.field);
    let time_zone = match event.find_setting(&TIME_ZONE) {
        Some(setting) => read_time_zone(&setting, mistakes),
        None => Some(TimeZone::UTC),
    };
    let max_key_bytes = event.read_setting(&MAX_KEY_BYTES, mistakes);
    let max_field_bytes = event.read_setting(&MAX_FIELD_BYTES, mistakes);
    let type_conversion = event.read_setting(&TYPES, mistakes);
    let declared = match event.find_setting(&FIELDS) {
        Some(setting) => read_declared_fields(&setting, key, time_field, mistakes),
        None => Some(Vec::new()),
    };
    event.report_unknown_and_missing_fields(mistakes);

    let is_complete = key.is_some() && declared.is_some();
    let event_fields = EventFields {
        entity_key_name: key.map(str::to_owned),
        event_time_name: time_field.map(str::to_owned),
        declared_fields: declared.unwrap_or_default(),
        is_complete,
    };
    let schema = build_event_schema(&event_fields, max_field_bytes);
    let spec = build_event_spec(format, schema, type_conversion, time, time_zone, max_key_bytes);
    (spec, event_fields)
}

fn build_event_schema(event_fields: &EventFields, max_field_bytes: Option<usize>) -> Option<EventSchema> {
    let fields = event_fields
        .declared_fields
        .iter()
        .map(|field| Some(EventField { name: field.name.as_str().into(), field_type: field.field_type? }));
    let fields: Vec<EventField> = fields.collect::<Option<_>>()?;
    let schema = EventSchema::new(event_fields.entity_key_name.as_deref()?, fields);
    Some(schema.with_max_field_bytes(max_field_bytes?))
}

fn build_event_spec(
    format: Option<EventFormat>,
    schema: Option<EventSchema>,
    type_conversion: Option<TypeConversion>,
    time: Option<EventTimeSettings<'_>>,
    time_zone: Option<TimeZone>,
    max_key_bytes: Option<usize>,
) -> Option<EventSpec> {
    let time = time?;
    Some(EventSpec {
        format: format?,
        schema: schema?,
        type_conversion: type_conversion?,
        time_field: time.field.to_owned(),
        time_number_unit: time.number_unit,
        time_text_format: time.text_format.map(str::to_owned),
        time_zone: time_zone?,
        max_key_bytes: max_key_bytes?,
    })
}

fn read_entity_key_name<'a>(setting: &PipelineSetting<'a>, mistakes: &mut DiagnosticCollector<'_>) -> Option<&'a str> {
    let name = setting.read_text("the name of the JSON member with the entity key", mistakes)?;
    if name.contains(['{', '}']) {
        let message = "the name of the entity key cannot contain a brace, because Redis keys put the name in braces";
        mistakes.report(DiagnosticCode::BadName, setting.location, message, "a name without braces");
        return None;
    }
    let fine = require_valid_field_name("the entity key", name, setting.location, mistakes)
        && require_unreserved_name("the entity key", name, None, setting.location, mistakes);
    fine.then_some(name)
}

/// Returns `None` if the setting is not a table.
fn read_declared_fields(
    setting: &PipelineSetting<'_>,
    key: Option<&str>,
    time: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<DeclaredField>> {
    let table = setting.read_table("a table: `[event.fields]`", mistakes)?;
    let mut declared = Vec::new();
    for entry in &table.entries {
        let name = entry.name.as_str();
        let implied = match Some(name) {
            name if name == key => Some(KeyOrTimeField::EntityKey),
            name if name == time => Some(KeyOrTimeField::EventTime),
            _ => None,
        };
        if let Some(implied) = implied {
            report_redeclared_field(name, implied, &entry.name_location, mistakes);
            continue;
        }
        require_valid_field_name("a field", name, &entry.name_location, mistakes);
        let field_type = read_field_type(&setting.child_setting(name, &entry.node), mistakes);
        declared.push(DeclaredField { name: name.to_owned(), field_type });
    }
    Some(declared)
}

/// A JSON member that `key` or `time` in `[event]` names. So `[event.fields]` must not declare it again.
#[derive(Clone, Copy)]
enum KeyOrTimeField {
    EntityKey,
    EventTime,
}

fn report_redeclared_field(
    name: &str,
    implied: KeyOrTimeField,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) {
    let (role, hint) = match implied {
        KeyOrTimeField::EntityKey => {
            ("entity key", "remove this line; features and `where` can use the entity key without it")
        }
        KeyOrTimeField::EventTime => ("event time", "remove this line"),
    };
    let message = format!("`{name}` is already declared as the {role}");
    mistakes
        .report(DiagnosticCode::ReservedName, at, message, "the other fields of the event")
        .set_hint(hint.to_owned());
}

fn read_field_type(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<FieldType> {
    if matches!(setting.value, DocumentValue::Table(_)) {
        let message = format!("`{}` must be text, not a table", setting.path);
        mistakes
            .report(DiagnosticCode::WrongType, setting.location, message, FIELD_TYPES.join_quoted_words())
            .set_hint(NOT_A_PATH_HINT.to_owned());
        return None;
    }
    let text = setting.read_text(&FIELD_TYPES.join_quoted_words(), mistakes)?;
    let found = FIELD_TYPES.find_word(text);
    if found.is_none() {
        let common = match text.to_ascii_lowercase().as_str() {
            "float" | "number" | "decimal" | "real" => Some("double"),
            "int" | "integer" | "int64" | "bigint" => Some("long"),
            "text" | "str" | "varchar" => Some("string"),
            "bool" => Some("boolean"),
            _ => None,
        };
        let hint = match common {
            Some(name) => Some(format!("Windrow calls this type `{name}`")),
            None => build_closest_name_hint(text, FIELD_TYPES.names()),
        };
        FIELD_TYPES.report_other_word(setting, hint, mistakes);
    }
    found
}

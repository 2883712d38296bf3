//! `[event]` and `[event.fields]`: what an event is, and the words that features and conditions may use.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use windrow_core::{Field, FieldId, FieldType, KEY_FIELD, Schema};

use super::{
    Fields, Setting, fields, name,
    suggestion::{did_you_mean, one_of},
};
use crate::{
    EventSpec,
    diagnostics::{At, Code, Mistakes},
};

const MAX_KEY_BYTES: i64 = 1_024;
/// Beyond this a key is no identity: Kafka refuses records of that size by default.
const MAX_KEY_BYTES_LIMIT: i64 = 1_024 * 1_024;
const FIELD_TYPES: [FieldType; 4] = [FieldType::String, FieldType::Double, FieldType::Long, FieldType::Boolean];

/// The fields of an event as far as they could be read, so that views are checked even where the event has mistakes.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// The entity key's name.
    pub(super) key: Option<String>,
    /// The name of the JSON member with the event time.
    time: Option<String>,
    /// The declared fields; `None`: declared with something that is no type.
    fields: Vec<(String, Option<FieldType>)>,
    /// Whether all of it could be read; otherwise an unknown name is nobody's mistake.
    complete: bool,
}

/// A field that is named by a feature or a condition.
pub(super) enum Lookup {
    /// Its position, and its type where it has one.
    Found(FieldId, Option<FieldType>),
    /// There is no such field.
    Undeclared {
        /// What would have been right.
        expected: String,
        /// The way out.
        hint: Option<String>,
    },
    /// Nobody knows: the event's own section has mistakes.
    Unclear,
}

impl Vocabulary {
    pub(super) fn find(&self, name: &str) -> Lookup {
        if self.key.as_deref() == Some(name) {
            return Lookup::Found(KEY_FIELD, Some(FieldType::String));
        }
        if let Some(index) = self.fields.iter().position(|(field, _)| field == name) {
            return Lookup::Found(FieldId(KEY_FIELD.0 + 1 + index), self.fields[index].1);
        }
        if !self.complete {
            return Lookup::Unclear;
        }
        let names = || self.key.iter().chain(self.fields.iter().map(|(name, _)| name)).map(String::as_str);
        let hint = if self.time.as_deref() == Some(name) {
            Some("the event time is not a field: windows, `first`, `last` and `duration` look at it".to_owned())
        } else {
            did_you_mean(name, names())
                .or_else(|| Some(format!("declare it: `{} = \"string\"` under [event.fields]", fields::join("", name))))
        };
        Lookup::Undeclared { expected: one_of(names()), hint }
    }
}

pub(super) fn read(root: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> (Option<EventSpec>, Vocabulary) {
    let Some(mut event) = root.required_table("event", "[event]", mistakes) else {
        return (None, Vocabulary::default());
    };
    if let Some(setting) = event.optional("format") {
        format(&setting, mistakes);
    }
    let key_setting = event.required("key", "key = \"user_id\"");
    let key = key_setting.as_ref().and_then(|setting| key_name(setting, mistakes));
    let time = event.required("time", "time = \"event_time\"").and_then(|setting| {
        let name = setting.text("the name of the JSON member with the event time", mistakes)?;
        if key == Some(name) {
            let message = format!("`{name}` cannot be both the entity key and the event time");
            mistakes.add(Code::ConflictingFields, setting.at, message, "two different JSON members");
            return None;
        }
        name::field("the event time", name, setting.at, mistakes).then_some(name)
    });
    let time_zone = match event.optional("time_zone") {
        Some(setting) => time_zone(&setting, mistakes),
        None => Some(TimeZone::UTC),
    };
    let max_key_bytes = match event.optional("max_key_bytes") {
        Some(setting) => max_key_bytes(&setting, mistakes),
        None => usize::try_from(MAX_KEY_BYTES).ok(),
    };
    let declared = match event.optional("fields") {
        Some(setting) => {
            setting.table("a table: `[event.fields]`", mistakes).map(|f| declared(&f, key, time, mistakes))
        }
        None => Some(Vec::new()),
    };
    event.finish(mistakes);

    let complete = key.is_some() && declared.is_some();
    let vocabulary = Vocabulary {
        key: key.map(str::to_owned),
        time: time.map(str::to_owned),
        fields: declared.unwrap_or_default(),
        complete,
    };
    let spec = event_spec(&vocabulary, time_zone, max_key_bytes);
    (spec, vocabulary)
}

fn event_spec(words: &Vocabulary, time_zone: Option<TimeZone>, max_key_bytes: Option<usize>) -> Option<EventSpec> {
    let fields = words
        .fields
        .iter()
        .map(|(name, field_type)| field_type.map(|field_type| Field { name: name.as_str().into(), field_type }));
    let fields: Vec<Field> = fields.collect::<Option<_>>()?;
    Some(EventSpec {
        schema: Schema::new(words.key.as_deref()?, fields),
        time_field: words.time.clone()?,
        time_zone: time_zone?,
        max_key_bytes: max_key_bytes?,
    })
}

fn format(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) {
    const EXPECTED: &str = "\"json\"";
    if let Some(text) = setting.text(EXPECTED, mistakes)
        && text != "json"
    {
        let message = format!("`{}` is not a format that can be read", setting.path);
        mistakes.add(Code::BadValue, setting.at, message, EXPECTED);
    }
}

fn key_name<'a>(setting: &Setting<'a>, mistakes: &mut Mistakes<'_>) -> Option<&'a str> {
    let name = setting.text("the name of the JSON member with the entity key", mistakes)?;
    if name.contains(['{', '}']) {
        let message = "the entity key cannot have a brace in its name: Redis keys name it in braces";
        mistakes.add(Code::BadName, setting.at, message, "a name without braces");
        return None;
    }
    let fine = name::field("the entity key", name, setting.at, mistakes)
        && name::free_in_row("the entity key", name, None, setting.at, mistakes);
    fine.then_some(name)
}

fn time_zone(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<TimeZone> {
    const EXPECTED: &str = "a name of the IANA time zone database, such as \"UTC\" or \"Asia/Seoul\"";
    let name = setting.text(EXPECTED, mistakes)?;
    // The bundled database, not the machine's: the same file means the same times everywhere.
    let database = TimeZoneDatabase::bundled();
    match database.get(name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            let names: Vec<_> = database.available().map(|known| known.to_string()).collect();
            mistakes
                .add(Code::UnknownTimeZone, setting.at, format!("there is no time zone `{name}`"), EXPECTED)
                .hint(did_you_mean(name, names.iter().map(String::as_str)));
            None
        }
    }
}

fn max_key_bytes(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<usize> {
    let expected = format!("1 to {MAX_KEY_BYTES_LIMIT} bytes");
    let bytes = setting.integer(&expected, mistakes)?;
    if !(1..=MAX_KEY_BYTES_LIMIT).contains(&bytes) {
        mistakes.add(Code::OutOfRange, setting.at, format!("`{}` cannot be {bytes}", setting.path), expected);
        return None;
    }
    usize::try_from(bytes).ok()
}

fn declared(
    table: &Fields<'_>,
    key: Option<&str>,
    time: Option<&str>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<(String, Option<FieldType>)> {
    let mut declared = Vec::new();
    for entry in &table.table.entries {
        let name = entry.name.as_str();
        if Some(name) == key || Some(name) == time {
            implied(name, Some(name) == key, &entry.name_at, mistakes);
            continue;
        }
        name::field("a field", name, &entry.name_at, mistakes);
        declared.push((name.to_owned(), field_type(&table.setting.child(name, &entry.node), mistakes)));
    }
    declared
}

fn implied(name: &str, is_key: bool, at: &At, mistakes: &mut Mistakes<'_>) {
    let role = if is_key { "entity key" } else { "event time" };
    let message = format!("`{name}` is the {role} and needs no declaration");
    let hint = if is_key {
        "leave this line out; the key is text and can be used in `where` and features"
    } else {
        "leave this line out"
    };
    mistakes.add(Code::ReservedName, at, message, "the event's other fields").hint(hint.to_owned());
}

fn field_type(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<FieldType> {
    const EXPECTED: &str = "\"string\", \"double\", \"long\" or \"boolean\"";
    let text = setting.text(EXPECTED, mistakes)?;
    let found = FIELD_TYPES.into_iter().find(|one| one.name() == text);
    if found.is_none() {
        let common = match text.to_ascii_lowercase().as_str() {
            "float" | "number" | "decimal" | "real" => Some("double"),
            "int" | "integer" | "int64" | "bigint" => Some("long"),
            "text" | "str" | "varchar" => Some("string"),
            "bool" => Some("boolean"),
            _ => None,
        };
        let hint = match common {
            Some(name) => Some(format!("here that is called `{name}`")),
            None => did_you_mean(text, FIELD_TYPES.map(FieldType::name)),
        };
        mistakes
            .add(Code::BadValue, setting.at, format!("`{}` is not a type of field", setting.path), EXPECTED)
            .hint(hint);
    }
    found
}

//! A second decoder, slow and built differently: it reads the whole record as a tree, and every value from its raw text.
//!
//! Owns: the expected result, for the records it can judge. Does not own: the comparison.
//! Why raw texts: `serde_json::Value` keeps the last of two equal members and not the text of numbers. So members are
//! collected as raw texts, and the standard library parses numbers.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use windrow_core::{EventSchema, FieldType, Value};

use crate::calendar;

/// The expected result of decoding a record.
#[derive(Debug)]
pub(crate) enum ExpectedResult {
    Event(ExpectedEvent),
    /// Not an event, for one of these reasons.
    Faults(Vec<DecodeFault>),
    /// The record holds a name with a special meaning in `serde_json`.
    Unjudged,
}

/// An event that owns its values.
#[derive(Debug)]
pub(crate) struct ExpectedEvent {
    pub(crate) key: String,
    /// `None` for formats of a time that are not judged.
    pub(crate) time_ms: Option<i64>,
    pub(crate) fields: Vec<OwnedValue>,
}

/// A field's value.
#[derive(Debug)]
pub(crate) enum OwnedValue {
    Null,
    String(String),
    Double(f64),
    Long(i64),
    Boolean(bool),
}

impl OwnedValue {
    pub(crate) fn as_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::String(text) => Value::String(text),
            Self::Double(number) => Value::Double(*number),
            Self::Long(number) => Value::Long(*number),
            Self::Boolean(truth) => Value::Boolean(*truth),
        }
    }
}

/// A reason why a record is not an event; the fields by name.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum DecodeFault {
    NotJson,
    Missing(String),
    Duplicate(String),
    WrongType(String),
    BadTime,
    KeyTooLong,
}

/// A member's value: its kind and, for numbers, its text.
enum MemberValue {
    Null,
    Boolean(bool),
    Number(String),
    String(String),
    /// An array or object, without white space.
    Nested(String),
}

/// Returns what decoding `record` must give.
pub(crate) fn decode_slowly(
    record: &[u8],
    schema: &EventSchema,
    time_field: &str,
    max_key_bytes: usize,
) -> ExpectedResult {
    if record.windows(13).any(|part| part == b"$serde_json::") {
        return ExpectedResult::Unjudged;
    }
    let Ok(text) = std::str::from_utf8(record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record)) else {
        return ExpectedResult::Faults(vec![DecodeFault::NotJson]);
    };
    // A raw value is checked by JSON's grammar only: any depth, any number, any escape.
    let Ok(json) = serde_json::from_str::<&RawValue>(text) else {
        return ExpectedResult::Faults(vec![DecodeFault::NotJson]);
    };
    if !json.get().starts_with('{') {
        return ExpectedResult::Faults(vec![DecodeFault::NotJson]);
    }
    let (text, has_lone_surrogates) = replace_lone_surrogates(json.get());
    let Some(members) = read_members(text.as_bytes()) else {
        return ExpectedResult::Faults(vec![DecodeFault::NotJson]);
    };
    // The key is refused if it contains a lone surrogate, but not if the replacement character is its own.
    let key_names = |(name, value): &(String, MemberValue)| {
        let is_key = name == schema.entity_key_name();
        is_key && matches!(value, MemberValue::String(text) if text.contains(char::REPLACEMENT_CHARACTER))
    };
    if has_lone_surrogates && members.iter().any(key_names) {
        return ExpectedResult::Unjudged;
    }

    let mut faults = Vec::new();
    let mut only = |name: &str| {
        let mut found = members.iter().filter(|(member, _)| member == name).map(|(_, value)| value);
        let first = found.next();
        if found.next().is_some() {
            faults.push(DecodeFault::Duplicate(name.to_owned()));
        }
        first
    };
    let values: Vec<_> = schema.fields().iter().map(|field| only(&field.name)).collect();
    let time = only(time_field);

    let key = match values[0] {
        Some(MemberValue::String(text) | MemberValue::Number(text)) => Some(text.clone()),
        Some(MemberValue::Null) | None => {
            faults.push(DecodeFault::Missing(schema.entity_key_name().to_owned()));
            None
        }
        Some(MemberValue::Boolean(_) | MemberValue::Nested(_)) => {
            faults.push(DecodeFault::WrongType(schema.entity_key_name().to_owned()));
            None
        }
    };
    if key.as_ref().is_some_and(|key| key.len() > max_key_bytes) {
        faults.push(DecodeFault::KeyTooLong);
    }
    let time_ms = match time {
        Some(MemberValue::String(text)) => match calendar::read(text) {
            calendar::Reading::Time(ms) => Some(ms),
            calendar::Reading::NoTime => {
                faults.push(DecodeFault::BadTime);
                None
            }
            calendar::Reading::Unjudged => match text.trim_matches(|c| c <= ' ').parse::<f64>() {
                // A number in quotation marks.
                Ok(number) if number.is_finite() => {
                    let ms = calendar::from_number(text.trim_matches(|c| c <= ' ').trim_start_matches('+'));
                    if ms.is_none() {
                        faults.push(DecodeFault::BadTime);
                    }
                    ms
                }
                _ => None,
            },
        },
        Some(MemberValue::Number(text)) => {
            let ms = calendar::from_number(text);
            if ms.is_none() {
                faults.push(DecodeFault::BadTime);
            }
            ms
        }
        Some(MemberValue::Null) | None => {
            faults.push(DecodeFault::Missing(time_field.to_owned()));
            None
        }
        Some(MemberValue::Boolean(_) | MemberValue::Nested(_)) => {
            faults.push(DecodeFault::WrongType(time_field.to_owned()));
            None
        }
    };
    let mut fields = vec![key.clone().map_or(OwnedValue::Null, OwnedValue::String)];
    for (field, value) in schema.fields().iter().zip(&values).skip(1) {
        match typed_value(*value, field.field_type) {
            Some(value) => fields.push(value),
            None => faults.push(DecodeFault::WrongType(field.name.to_string())),
        }
    }
    // A declared number that is no double is refused as malformed.
    let declared = || values.iter().copied().chain([time]).flatten();
    if declared().any(|value| matches!(value, MemberValue::Number(text) if text.parse() == Ok(f64::INFINITY) || text.parse() == Ok(f64::NEG_INFINITY)))
    {
        faults.push(DecodeFault::NotJson);
    }
    if !faults.is_empty() && time_ms.is_none() {
        // A format that is not judged may be a fault as well.
        faults.push(DecodeFault::BadTime);
    }
    match key {
        Some(key) if faults.is_empty() => ExpectedResult::Event(ExpectedEvent { key, time_ms, fields }),
        _ => ExpectedResult::Faults(faults),
    }
}

/// Returns a declared field's value, or `None` where it is of another type.
fn typed_value(value: Option<&MemberValue>, field_type: FieldType) -> Option<OwnedValue> {
    match (value, field_type) {
        (None | Some(MemberValue::Null), _) => Some(OwnedValue::Null),
        (Some(MemberValue::String(text)), FieldType::String) => Some(OwnedValue::String(text.clone())),
        (Some(MemberValue::Number(text)), FieldType::Double) => text.parse().ok().map(OwnedValue::Double),
        // A number with a fraction or an exponent is an integer if its double is whole and below 2^53.
        (Some(MemberValue::Number(text)), FieldType::Long) => match text.parse::<f64>() {
            Ok(number) if number == 0.0 && number.is_sign_negative() => Some(OwnedValue::Long(0)),
            Ok(number) if text.contains(['.', 'e', 'E']) => (number.fract() == 0.0 && number.abs() < 2_f64.powi(53))
                .then_some(OwnedValue::Long(number as i64)),
            _ => text.parse().ok().map(OwnedValue::Long),
        },
        (Some(MemberValue::Boolean(truth)), FieldType::Boolean) => Some(OwnedValue::Boolean(*truth)),
        // Values of another type, with lenient types.
        (Some(MemberValue::Number(text) | MemberValue::Nested(text)), FieldType::String) => {
            Some(OwnedValue::String(text.clone()))
        }
        (Some(MemberValue::Boolean(truth)), FieldType::String) => Some(OwnedValue::String(truth.to_string())),
        (Some(MemberValue::String(text)), _) => {
            let text = text.trim_matches(|character| character <= ' ');
            match field_type {
                FieldType::Double => text.parse().ok().filter(|number: &f64| number.is_finite()).map(OwnedValue::Double),
                FieldType::Long => text.parse().ok().map(OwnedValue::Long),
                FieldType::Boolean => text.to_ascii_lowercase().parse().ok().map(OwnedValue::Boolean),
                FieldType::String => None,
            }
        }
        _ => None,
    }
}

/// Returns `text` with U+FFFD in place of the escapes of lone surrogates, and whether there were any.
fn replace_lone_surrogates(text: &str) -> (String, bool) {
    let (mut replaced, mut found, mut at) = (text.as_bytes().to_vec(), false, 0);
    let unit = |at: usize| match text.as_bytes().get(at..at + 6) {
        Some([b'\\', b'u', digits @ ..]) => {
            std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok())
        }
        _ => None,
    };
    while at < replaced.len() {
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                replaced[at..at + 6].copy_from_slice(b"\\ufffd");
                found = true;
                6
            }
            (Some(_), _) => 6,
            (None, _) if replaced[at] == b'\\' => 2,
            (None, _) => 1,
        };
    }
    (String::from_utf8(replaced).expect("ASCII was replaced by ASCII"), found)
}

/// Returns a JSON text without white space outside of its strings.
fn compact(json: &str) -> String {
    let (mut compact, mut at) = (String::new(), 0);
    while let Some(character) = json[at..].chars().next() {
        let length = if character == '"' {
            let bytes = json[at + 1..].as_bytes();
            let mut end = 0;
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            end + 2
        } else {
            character.len_utf8()
        };
        if !character.is_whitespace() {
            compact.push_str(&json[at..at + length]);
        }
        at += length;
    }
    compact
}

/// Returns every member of the object in order, including duplicates.
fn read_members(record: &[u8]) -> Option<Vec<(String, MemberValue)>> {
    struct Members;
    impl<'a> Visitor<'a> for Members {
        type Value = Vec<(String, &'a RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let members = serde_json::Deserializer::from_slice(record).deserialize_map(Members).ok()?;
    members.into_iter().map(|(name, raw)| Some((name, read_member_value(raw.get())?))).collect()
}

fn read_member_value(text: &str) -> Option<MemberValue> {
    Some(match text.as_bytes().first()? {
        b'n' => MemberValue::Null,
        b't' | b'f' => MemberValue::Boolean(text == "true"),
        b'"' => MemberValue::String(serde_json::from_str(text).ok()?),
        b'{' | b'[' => MemberValue::Nested(compact(text)),
        _ => MemberValue::Number(text.to_owned()),
    })
}

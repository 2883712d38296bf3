//! Finds the characters of values that become texts although they are not JSON strings, such as `1.50` and `[1, 2]`.
//!
//! `serde_json` does not keep the characters of the numbers that it reads as floats. So a second pass over the record
//! reads the values of all text fields, the entity key among them, as they are written.

use std::fmt;

use bumpalo::Bump;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use windrow_core::{ENTITY_KEY_FIELD, Event, FieldType, Value};

use super::member_name::{MemberNameReader, RecognizedMember};
use crate::decode::error::{DecodeError, truncate_for_error};
use crate::decode::rules::DecodeRules;

/// Returns `event` with the texts of all numbers, arrays and objects in text fields. A number keeps its characters. An
/// array or object loses its white space. `record` is the record's text, from which the first pass decoded `event`.
pub(super) fn fill_in_source_texts<'a>(
    rules: &'a DecodeRules,
    record: &'a str,
    event: Event<'a>,
    arena: &'a Bump,
) -> Result<Event<'a>, DecodeError> {
    let field_values = arena.alloc_slice_copy(event.field_values);
    serde_json::Deserializer::from_str(record)
        .deserialize_map(SourceTextReader { rules, arena, field_values: &mut *field_values })
        .map_err(|error| DecodeError::InvalidJson(truncate_for_error(&error.to_string())))?;
    let Value::String(entity_key) = field_values[ENTITY_KEY_FIELD.0] else {
        return Err(DecodeError::MissingField(rules.schema.entity_key_name().into()));
    };
    Ok(Event { entity_key, field_values, ..event })
}

struct SourceTextReader<'a, 'v> {
    rules: &'a DecodeRules,
    arena: &'a Bump,
    field_values: &'v mut [Value<'a>],
}

impl<'a> Visitor<'a> for SourceTextReader<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.rules.schema.fields();
        while let Some(member) = map.next_key_seed(MemberNameReader(self.rules))? {
            match member {
                RecognizedMember::Field(index) if fields[index].field_type == FieldType::String => {
                    let json = map.next_value::<&'a RawValue>()?.get();
                    match json.as_bytes().first() {
                        Some(b'-' | b'0'..=b'9') => self.field_values[index] = Value::String(json),
                        Some(b'[' | b'{') => {
                            let compact = remove_white_space(json);
                            self.field_values[index] = Value::String(self.arena.alloc_str(&compact));
                        }
                        // The first pass has read strings, booleans and null.
                        _ => {}
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Returns `json` without the white space outside of its strings.
fn remove_white_space(json: &str) -> String {
    let (mut is_in_string, mut is_escaped) = (false, false);
    let is_kept = |&character: &char| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_in_string = !is_in_string,
            _ => {}
        }
        is_in_string || !character.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

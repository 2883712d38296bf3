//! Decodes an event from the JSON object of a record.

use std::fmt;

use bumpalo::Bump;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use windrow_core::{ENTITY_KEY_FIELD, Event, EventTime, Value};

use super::decode_context::{FirstPassFindings, JsonDecodeContext};
use super::entity_key::EntityKeyReader;
use super::event_time::EventTimeReader;
use super::field_value::FieldValueReader;
use super::lone_surrogates::replace_lone_surrogates;
use super::member_name::{MemberNameReader, RecognizedMember};
use super::source_text::fill_in_source_texts;
use crate::decode::error::{DecodeError, truncate_for_error};
use crate::decode::rules::DecodeRules;

/// Decodes the JSON object `text` of one record. The event borrows its strings from `text`. If a string contains JSON
/// escapes, the decoder writes the unescaped string into `arena`, and the event borrows it from there.
pub(in crate::decode) fn decode_json_event<'a>(
    rules: &'a DecodeRules,
    text: &'a str,
    arena: &'a Bump,
) -> Result<Event<'a>, DecodeError> {
    match decode_json_object(rules, text, arena) {
        Err(DecodeError::InvalidJson(_)) if text.trim_ascii_start().starts_with('[') => Err(DecodeError::JsonArray),
        Err(DecodeError::InvalidJson(reason)) => decode_without_lone_surrogates(rules, text, arena, reason),
        decoded => decoded,
    }
}

/// Decodes `text`, which `serde_json` refused for `reason`, with U+FFFD in place of escapes of lone surrogates. Returns
/// `reason` if there are none, or if the entity key contains one: two entities must not share a key.
#[cold]
fn decode_without_lone_surrogates<'a>(
    rules: &'a DecodeRules,
    text: &'a str,
    arena: &'a Bump,
    reason: Box<str>,
) -> Result<Event<'a>, DecodeError> {
    let Some(replaced) = replace_lone_surrogates(text, "\\ufffd") else {
        return Err(DecodeError::InvalidJson(reason));
    };
    let event = decode_json_object(rules, arena.alloc_str(&replaced), arena)?;
    if event.entity_key.contains(char::REPLACEMENT_CHARACTER) {
        // The key contains a lone surrogate exactly if another replacement gives another key.
        let differently_replaced = replace_lone_surrogates(text, "\\ufffe").unwrap_or_default();
        let other = decode_json_object(rules, arena.alloc_str(&differently_replaced), arena)?;
        if other.entity_key != event.entity_key {
            return Err(DecodeError::InvalidJson(reason));
        }
    }
    Ok(event)
}

/// Decodes `text`, in which every escape of a string must stand for a character.
fn decode_json_object<'a>(rules: &'a DecodeRules, text: &'a str, arena: &'a Bump) -> Result<Event<'a>, DecodeError> {
    let findings = FirstPassFindings::default();
    let context = JsonDecodeContext { rules, arena, findings: &findings };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let decoded = deserializer.deserialize_map(context).and_then(|event| deserializer.end().map(|()| event));
    match decoded {
        Ok(event) if findings.needs_source_text.get() => {
            let event = fill_in_source_texts(rules, text, event, arena)?;
            check_entity_key_length(rules, event.entity_key).map(|()| event)
        }
        Ok(event) => Ok(event),
        Err(error) => {
            let stored = findings.decode_error.take();
            Err(stored.unwrap_or_else(|| DecodeError::InvalidJson(truncate_for_error(&error.to_string()))))
        }
    }
}

impl<'a> Visitor<'a> for JsonDecodeContext<'a, '_> {
    type Value = Event<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Event<'a>, A::Error> {
        let schema = &self.rules.schema;
        let found: &mut [Option<Value<'a>>] = self.arena.alloc_slice_fill_copy(schema.fields().len(), None);
        let mut time: Option<EventTime> = None;
        let mut has_time_member = false;
        while let Some(member) = map.next_key_seed(MemberNameReader(self.rules))? {
            match member {
                RecognizedMember::Time => {
                    time = map.next_value_seed(EventTimeReader(self))?;
                    if std::mem::replace(&mut has_time_member, true) {
                        return Err(self.store_decode_error(DecodeError::DuplicateField(self.rules.time_field.clone())));
                    }
                }
                RecognizedMember::Field(index) if index == ENTITY_KEY_FIELD.0 => {
                    let value = map.next_value_seed(EntityKeyReader(self))?;
                    self.set_field_once(&mut found[index], value, schema.entity_key_name())?;
                }
                RecognizedMember::Field(index) => {
                    let field = &schema.fields()[index];
                    let typed =
                        FieldValueReader { context: self, field_name: &field.name, field_type: field.field_type };
                    let value = map.next_value_seed(typed)?;
                    self.set_field_once(&mut found[index], value, &field.name)?;
                }
                // `serde_json` checks the grammar of an ignored value without recursion, and converts nothing.
                RecognizedMember::Undeclared => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(Value::String(key)) = found[ENTITY_KEY_FIELD.0] else {
            return Err(self.store_decode_error(DecodeError::MissingField(schema.entity_key_name().into())));
        };
        let Some(time) = time else {
            return Err(self.store_decode_error(DecodeError::MissingField(self.rules.time_field.clone())));
        };
        check_entity_key_length(self.rules, key).map_err(|error| self.store_decode_error(error))?;
        let fields = self.arena.alloc_slice_fill_iter(found.iter().map(|value| value.unwrap_or(Value::Null)));
        Ok(Event { entity_key: key, time, field_values: fields })
    }
}

fn check_entity_key_length(rules: &DecodeRules, key: &str) -> Result<(), DecodeError> {
    if key.len() <= rules.max_key_bytes {
        return Ok(());
    }
    Err(DecodeError::KeyTooLong {
        field: rules.schema.entity_key_name().into(),
        bytes: key.len(),
        max: rules.max_key_bytes,
    })
}

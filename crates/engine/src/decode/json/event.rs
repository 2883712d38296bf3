//! Decodes an event from the JSON object of a record.

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use windrow_core::{ENTITY_KEY_FIELD, Event, EventTime, Value};

use super::decode_context::JsonDecodeContext;
use super::entity_key::{self, EntityKeyReader, EntityKeyText};
use super::event_time::EventTimeReader;
use super::field_value::FieldValueReader;
use super::lone_surrogates::replace_lone_surrogates;
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
fn decode_json_object<'a>(
    rules: &'a DecodeRules,
    text: &'a str,
    arena: &'a Bump,
) -> Result<Event<'a>, DecodeError> {
    let decode_error = Cell::new(None);
    let context = JsonDecodeContext { rules, arena, decode_error: &decode_error };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let decoded = deserializer.deserialize_map(context).and_then(|event| deserializer.end().map(|()| event));
    match decoded {
        Ok(FirstPassEvent::Complete(event)) => Ok(event),
        Ok(FirstPassEvent::FractionalKey(mut event)) => {
            event.entity_key = entity_key::find_numeric_key_text(rules, text)?;
            event.field_values = replace_key_field(event, arena);
            check_entity_key_length(rules, event.entity_key).map(|()| event)
        }
        Err(error) => {
            Err(decode_error.take().unwrap_or_else(|| DecodeError::InvalidJson(truncate_for_error(&error.to_string()))))
        }
    }
}

/// The result of the first pass over the text of a record.
pub(super) enum FirstPassEvent<'a> {
    /// The event has all its values.
    Complete(Event<'a>),
    /// The event still lacks its entity key, because `serde_json` read the key as a float. A second pass finds the
    /// characters of the key in the text.
    FractionalKey(Event<'a>),
}

impl<'a> Visitor<'a> for JsonDecodeContext<'a, '_> {
    type Value = FirstPassEvent<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<FirstPassEvent<'a>, A::Error> {
        let schema = &self.rules.schema;
        let found: &mut [Option<Value<'a>>] = self.arena.alloc_slice_fill_copy(schema.fields().len(), None);
        let mut time: Option<EventTime> = None;
        let mut has_time_member = false;
        let mut key_is_fraction = false;
        while let Some(member) = map.next_key_seed(MemberNameReader(self))? {
            match member {
                RecognizedMember::Time => {
                    time = map.next_value_seed(EventTimeReader(self))?;
                    if std::mem::replace(&mut has_time_member, true) {
                        return Err(self.store_decode_error(DecodeError::DuplicateField(self.rules.time_field.clone())));
                    }
                }
                RecognizedMember::Field(index) if index == ENTITY_KEY_FIELD.0 => {
                    let value = match map.next_value_seed(EntityKeyReader(self))? {
                        EntityKeyText::Text(text) => Value::String(text),
                        EntityKeyText::Null => Value::Null,
                        EntityKeyText::FractionalNumber => {
                            key_is_fraction = true;
                            Value::String("")
                        }
                    };
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
        let event = Event { entity_key: key, time, field_values: fields };
        Ok(if key_is_fraction { FirstPassEvent::FractionalKey(event) } else { FirstPassEvent::Complete(event) })
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

fn replace_key_field<'a>(event: Event<'a>, arena: &'a Bump) -> &'a [Value<'a>] {
    let fields = arena.alloc_slice_copy(event.field_values);
    fields[ENTITY_KEY_FIELD.0] = Value::String(event.entity_key);
    fields
}

/// The meaning of a member of the JSON object, according to the member's name.
enum RecognizedMember {
    Time,
    Field(usize),
    Undeclared,
}

struct MemberNameReader<'a, 'c>(JsonDecodeContext<'a, 'c>);

impl<'a> DeserializeSeed<'a> for MemberNameReader<'a, '_> {
    type Value = RecognizedMember;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<RecognizedMember, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberNameReader<'_, '_> {
    type Value = RecognizedMember;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<RecognizedMember, E> {
        if *name == *self.0.rules.time_field {
            return Ok(RecognizedMember::Time);
        }
        Ok(self
            .0
            .rules
            .schema
            .find_field(name)
            .map_or(RecognizedMember::Undeclared, |id| RecognizedMember::Field(id.0)))
    }
}

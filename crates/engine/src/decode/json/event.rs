//! Decodes a record from JSON text.

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use windrow_core::{ENTITY_KEY_FIELD, Event, EventTime, Value};

use super::context::JsonDecodeContext;
use super::event_time::EventTimeReader;
use super::field::FieldValueReader;
use super::key::{self, EntityKeyReader, EntityKeyText};
use super::skip::IgnoredValueReader;
use crate::decode::error::{DecodeError, truncate_quoted};
use crate::decode::rules::DecodeRules;

/// Decodes one record. The event borrows from `text`. Text that had to be unescaped is borrowed from `arena`.
pub(in crate::decode) fn decode_json_event<'a>(
    rules: &'a DecodeRules,
    text: &'a str,
    arena: &'a Bump,
) -> Result<Event<'a>, DecodeError> {
    let decode_error = Cell::new(None);
    let context = JsonDecodeContext { rules, arena, decode_error: &decode_error };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let decoded = deserializer.deserialize_map(context).and_then(|event| deserializer.end().map(|()| event));
    match decoded {
        Ok(DecodedEvent::Event(event)) => Ok(event),
        Ok(DecodedEvent::FractionalKey(mut event)) => {
            event.entity_key = key::find_numeric_key_text(rules, text)?;
            event.field_values = replace_key_field(event, arena);
            check_entity_key_length(rules, event.entity_key).map(|()| event)
        }
        Err(error) => {
            Err(decode_error.take().unwrap_or_else(|| DecodeError::InvalidJson(truncate_quoted(&error.to_string()))))
        }
    }
}

pub(super) enum DecodedEvent<'a> {
    Event(Event<'a>),
    /// The key is a number with a fraction or an exponent. Its text must be read from the record in a second pass.
    FractionalKey(Event<'a>),
}

impl<'a> Visitor<'a> for JsonDecodeContext<'a, '_> {
    type Value = DecodedEvent<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<DecodedEvent<'a>, A::Error> {
        let schema = &self.rules.schema;
        let found: &mut [Option<Value<'a>>] = self.arena.alloc_slice_fill_copy(schema.fields().len(), None);
        let mut time: Option<EventTime> = None;
        let mut has_time_member = false;
        let mut key_is_fraction = false;
        while let Some(member) = map.next_key_seed(MemberNameReader(self))? {
            match member {
                MemberName::Time => {
                    time = map.next_value_seed(EventTimeReader(self))?;
                    if std::mem::replace(&mut has_time_member, true) {
                        return Err(
                            self.report_decode_error(DecodeError::DuplicateField(self.rules.time_field.clone()))
                        );
                    }
                }
                MemberName::Field(index) if index == ENTITY_KEY_FIELD.0 => {
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
                MemberName::Field(index) => {
                    let field = &schema.fields()[index];
                    let typed = FieldValueReader { context: self, name: &field.name, field_type: field.field_type };
                    let value = map.next_value_seed(typed)?;
                    self.set_field_once(&mut found[index], value, &field.name)?;
                }
                MemberName::Undeclared => map.next_value_seed(IgnoredValueReader)?,
            }
        }
        let Some(Value::String(key)) = found[ENTITY_KEY_FIELD.0] else {
            return Err(self.report_decode_error(DecodeError::MissingField(schema.entity_key_name().into())));
        };
        let Some(time) = time else {
            return Err(self.report_decode_error(DecodeError::MissingField(self.rules.time_field.clone())));
        };
        check_entity_key_length(self.rules, key).map_err(|error| self.report_decode_error(error))?;
        let fields = self.arena.alloc_slice_fill_iter(found.iter().map(|value| value.unwrap_or(Value::Null)));
        let event = Event { entity_key: key, time, field_values: fields };
        Ok(if key_is_fraction { DecodedEvent::FractionalKey(event) } else { DecodedEvent::Event(event) })
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

/// The field of the event that a member's name stands for.
enum MemberName {
    Time,
    Field(usize),
    Undeclared,
}

struct MemberNameReader<'a, 'c>(JsonDecodeContext<'a, 'c>);

impl<'a> DeserializeSeed<'a> for MemberNameReader<'a, '_> {
    type Value = MemberName;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<MemberName, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberNameReader<'_, '_> {
    type Value = MemberName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<MemberName, E> {
        if *name == *self.0.rules.time_field {
            return Ok(MemberName::Time);
        }
        Ok(self.0.rules.schema.find_field(name).map_or(MemberName::Undeclared, |id| MemberName::Field(id.0)))
    }
}

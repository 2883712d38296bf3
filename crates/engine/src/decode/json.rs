//! JSON events.
//!
//! One pass over the text with `serde_json`: members that are declared are read with the type they were declared with,
//! all others are walked over without being kept.
//! Why not a faster parser: see `docs/adr/0002-json-parser.md`.

#[macro_use]
mod refuse;

mod event_time;
mod field;
mod key;
mod skip;

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use windrow_core::{Event, EventTime, KEY_FIELD, Value};

use super::{Decoder, Malformed, brief};
use event_time::Time;
use field::Typed;
use key::{Key, KeyText};
use skip::Skip;

pub(super) fn decode<'a>(decoder: &'a Decoder, text: &'a str, arena: &'a Bump) -> Result<Event<'a>, Malformed> {
    let fault = Cell::new(None);
    let context = Context { decoder, arena, fault: &fault };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let decoded = deserializer.deserialize_map(context).and_then(|event| deserializer.end().map(|()| event));
    match decoded {
        Ok(Decoded::Event(event)) => Ok(event),
        Ok(Decoded::KeyIsFraction(mut event)) => {
            event.key = key::text_of(decoder, text)?;
            event.fields = with_key(event, arena);
            check_key(decoder, event.key).map(|()| event)
        }
        Err(error) => Err(fault.take().unwrap_or_else(|| Malformed::Json(brief(&error.to_string())))),
    }
}

/// What a call shares: typed faults travel beside serde's errors, which carry only text.
#[derive(Clone, Copy)]
struct Context<'a, 'c> {
    decoder: &'a Decoder,
    arena: &'a Bump,
    fault: &'c Cell<Option<Malformed>>,
}

enum Decoded<'a> {
    Event(Event<'a>),
    /// The key is a number with a fraction or an exponent: its text has to be fetched from the record.
    KeyIsFraction(Event<'a>),
}

impl<'a> Context<'a, '_> {
    fn fail<E: Error>(&self, fault: Malformed) -> E {
        self.fault.set(Some(fault));
        E::custom("")
    }

    fn set_once<E: Error>(&self, place: &mut Option<Value<'a>>, value: Value<'a>, name: &str) -> Result<(), E> {
        if place.is_some() {
            return Err(self.fail(Malformed::Duplicate(name.into())));
        }
        *place = Some(value);
        Ok(())
    }
}

impl<'a> Visitor<'a> for Context<'a, '_> {
    type Value = Decoded<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Decoded<'a>, A::Error> {
        let schema = &self.decoder.schema;
        let found: &mut [Option<Value<'a>>] = self.arena.alloc_slice_fill_copy(schema.fields().len(), None);
        let mut time: Option<Option<EventTime>> = None;
        let mut key_is_fraction = false;
        while let Some(member) = map.next_key_seed(Name(self))? {
            match member {
                Member::Time => {
                    let value = map.next_value_seed(Time(self))?;
                    if time.replace(value).is_some() {
                        return Err(self.fail(Malformed::Duplicate(self.decoder.time_field.clone())));
                    }
                }
                Member::Field(index) if index == KEY_FIELD.0 => {
                    let value = match map.next_value_seed(Key(self))? {
                        KeyText::Text(text) => Value::String(text),
                        KeyText::Null => Value::Null,
                        KeyText::Fraction => {
                            key_is_fraction = true;
                            Value::String("")
                        }
                    };
                    self.set_once(&mut found[index], value, schema.key_name())?;
                }
                Member::Field(index) => {
                    let field = &schema.fields()[index];
                    let typed = Typed { context: self, name: &field.name, field_type: field.field_type };
                    let value = map.next_value_seed(typed)?;
                    self.set_once(&mut found[index], value, &field.name)?;
                }
                Member::Undeclared => map.next_value_seed(Skip)?,
            }
        }
        let Some(Value::String(key)) = found[KEY_FIELD.0] else {
            return Err(self.fail(Malformed::Missing(schema.key_name().into())));
        };
        let Some(time) = time.flatten() else {
            return Err(self.fail(Malformed::Missing(self.decoder.time_field.clone())));
        };
        check_key(self.decoder, key).map_err(|fault| self.fail(fault))?;
        let fields = self.arena.alloc_slice_fill_iter(found.iter().map(|value| value.unwrap_or(Value::Null)));
        let event = Event { key, time, fields };
        Ok(if key_is_fraction { Decoded::KeyIsFraction(event) } else { Decoded::Event(event) })
    }
}

fn check_key(decoder: &Decoder, key: &str) -> Result<(), Malformed> {
    if key.len() <= decoder.max_key_bytes {
        return Ok(());
    }
    Err(Malformed::KeyTooLong { field: decoder.schema.key_name().into(), bytes: key.len(), max: decoder.max_key_bytes })
}

fn with_key<'a>(event: Event<'a>, arena: &'a Bump) -> &'a [Value<'a>] {
    let fields = arena.alloc_slice_copy(event.fields);
    fields[KEY_FIELD.0] = Value::String(event.key);
    fields
}

/// Which member a name stands for.
enum Member {
    Time,
    Field(usize),
    Undeclared,
}

struct Name<'a, 'c>(Context<'a, 'c>);

impl<'a> DeserializeSeed<'a> for Name<'a, '_> {
    type Value = Member;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Member, E> {
        if *name == *self.0.decoder.time_field {
            return Ok(Member::Time);
        }
        Ok(self.0.decoder.schema.find(name).map_or(Member::Undeclared, |id| Member::Field(id.0)))
    }
}

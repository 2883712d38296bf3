//! JSON events.
//!
//! One pass over the text with `serde_json`: members that are declared are read with the type they were declared with,
//! all others are walked over without being kept.
//! Why not a faster parser: see `docs/adr/0002-json-parser.md`.

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use windrow_core::{Event, EventTime, FieldType, KEY_FIELD, Value};

use super::{Decoder, MAX_DEPTH, Malformed, time};

pub(super) fn decode<'a>(decoder: &'a Decoder, text: &'a str, arena: &'a Bump) -> Result<Event<'a>, Malformed> {
    let fault = Cell::new(None);
    let context = Context { decoder, arena, fault: &fault };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let decoded = deserializer.deserialize_map(context).and_then(|event| deserializer.end().map(|()| event));
    match decoded {
        Ok(Decoded::Event(event)) => Ok(event),
        Ok(Decoded::KeyIsFraction(mut event)) => {
            event.key = key_text(decoder, text)?;
            event.fields = with_key(event, arena);
            check_key(decoder, event.key).map(|()| event)
        }
        Err(error) => Err(fault.take().unwrap_or_else(|| Malformed::Json(error.to_string().into()))),
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

/// A visitor that accepts the listed kinds of values and answers all others with the field's own error.
macro_rules! refuse_others {
    ($($method:ident($type:ty) => $found:expr),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected())
        }
        $(fn $method<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            Err(self.refuse(&$found(value).to_string()))
        })*
        fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.refuse("an array"))
        }
        fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.refuse("an object"))
        }
    };
}

/// The value of a declared field.
#[derive(Clone, Copy)]
struct Typed<'a, 'c> {
    context: Context<'a, 'c>,
    name: &'a str,
    field_type: FieldType,
}

impl Typed<'_, '_> {
    fn expected(&self) -> &'static str {
        match self.field_type {
            FieldType::String => "a string",
            FieldType::Double => "a number",
            FieldType::Long => "an integer between -2^63 and 2^63-1",
            FieldType::Boolean => "true or false",
        }
    }

    fn refuse<E: Error>(&self, found: &str) -> E {
        self.context.fail(Malformed::WrongType {
            field: self.name.into(),
            expected: self.expected(),
            found: found.into(),
        })
    }
}

impl<'a> DeserializeSeed<'a> for Typed<'a, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[allow(clippy::cast_precision_loss)] // a double field holds the nearest double by definition
impl<'a> Visitor<'a> for Typed<'a, '_> {
    type Value = Value<'a>;

    refuse_others!();

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::String => Ok(Value::String(text)),
            _ => Err(self.refuse(&Unexpected::Str(text).to_string())),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        self.visit_borrowed_str(self.context.arena.alloc_str(text))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Boolean => Ok(Value::Boolean(truth)),
            _ => Err(self.refuse(&Unexpected::Bool(truth).to_string())),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Long => Ok(Value::Long(number)),
            FieldType::Double => Ok(Value::Double(number as f64)),
            _ => Err(self.refuse(&Unexpected::Signed(number).to_string())),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'a>, E> {
        match (self.field_type, i64::try_from(number)) {
            (FieldType::Double, _) => Ok(Value::Double(number as f64)),
            (FieldType::Long, Ok(number)) => Ok(Value::Long(number)),
            _ => Err(self.refuse(&Unexpected::Unsigned(number).to_string())),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Double => Ok(Value::Double(number)),
            // What `serde_json` makes of `-0`, which is an integer (and of `-0.0`, which it cannot tell from it).
            FieldType::Long if number == 0.0 && number.is_sign_negative() => Ok(Value::Long(0)),
            _ => Err(self.refuse(&Unexpected::Float(number).to_string())),
        }
    }
}

enum KeyText<'a> {
    Text(&'a str),
    Null,
    /// A number whose text serde does not hand on.
    Fraction,
}

/// The entity key: text, or a number that stands for its own text (window rule 8).
#[derive(Clone, Copy)]
struct Key<'a, 'c>(Context<'a, 'c>);

impl Key<'_, '_> {
    fn expected(&self) -> &'static str {
        "a string or a number"
    }

    fn refuse<E: Error>(&self, found: &str) -> E {
        self.0.fail(Malformed::WrongType {
            field: self.0.decoder.schema.key_name().into(),
            expected: self.expected(),
            found: found.into(),
        })
    }
}

impl<'a> DeserializeSeed<'a> for Key<'a, '_> {
    type Value = KeyText<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<KeyText<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Key<'a, '_> {
    type Value = KeyText<'a>;

    refuse_others!(visit_bool(bool) => Unexpected::Bool);

    fn visit_unit<E: Error>(self) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Text(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Text(self.0.arena.alloc_str(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Text(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Text(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<KeyText<'a>, E> {
        Ok(KeyText::Fraction)
    }
}

/// The text of a numeric key as the record spells it. The record is known to be well-formed JSON with one such member.
fn key_text<'a>(decoder: &Decoder, text: &'a str) -> Result<&'a str, Malformed> {
    struct Find<'d>(&'d str);
    impl<'a> Visitor<'a> for Find<'_> {
        type Value = Option<&'a RawValue>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
                if name == self.0 {
                    found = Some(map.next_value::<&'a RawValue>()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    let name = decoder.schema.key_name();
    serde_json::Deserializer::from_str(text)
        .deserialize_map(Find(name))
        .map_err(|error| Malformed::Json(error.to_string().into()))?
        .map(RawValue::get)
        .ok_or_else(|| Malformed::Missing(name.into()))
}

/// The event time: text or a number, `None` for null.
#[derive(Clone, Copy)]
struct Time<'a, 'c>(Context<'a, 'c>);

impl Time<'_, '_> {
    fn expected(&self) -> &'static str {
        "a time as text or a number of milliseconds"
    }

    fn refuse<E: Error>(&self, found: &str) -> E {
        self.0.fail(Malformed::WrongType {
            field: self.0.decoder.time_field.clone(),
            expected: self.expected(),
            found: found.into(),
        })
    }

    fn checked<E: Error>(&self, time: Result<EventTime, String>) -> Result<Option<EventTime>, E> {
        time.map(Some).map_err(|reason| {
            self.0.fail(Malformed::BadTime { field: self.0.decoder.time_field.clone(), reason: reason.into() })
        })
    }
}

impl<'a> DeserializeSeed<'a> for Time<'a, '_> {
    type Value = Option<EventTime>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Time<'a, '_> {
    type Value = Option<EventTime>;

    refuse_others!(visit_bool(bool) => Unexpected::Bool);

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.checked(time::parse(text, &self.0.decoder.time_zone))
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Self::Value, E> {
        self.checked(time::from_integer(ms))
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Self::Value, E> {
        self.checked(time::from_integer(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E: Error>(self, ms: f64) -> Result<Self::Value, E> {
        self.checked(time::from_double(ms))
    }
}

/// Walks over a value of any shape. Goes through `deserialize_any` because that, unlike serde's own way of ignoring a
/// value, counts the depth ([`MAX_DEPTH`] is `serde_json`'s limit) and so also bounds what is only skipped.
struct Skip;

const _: () = assert!(MAX_DEPTH == 128, "serde_json's recursion limit is fixed at 128");

impl<'a> DeserializeSeed<'a> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Skip)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Skip)?;
        }
        Ok(())
    }
}

//! Reads the value of a declared field. Converts a value of another type than the schema declares, or refuses it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use windrow_core::text::trim_as_java;
use windrow_core::{FieldType, TypeConversion, Value};

use super::decode_context::JsonDecodeContext;
use crate::decode::error::{DecodeError, truncate_for_error};

/// The visitor that reads a JSON value as a value of `field_type`.
#[derive(Clone, Copy)]
pub(super) struct FieldValueReader<'a, 'c> {
    pub(super) context: JsonDecodeContext<'a, 'c>,
    pub(super) field_name: &'a str,
    pub(super) field_type: FieldType,
}

impl FieldValueReader<'_, '_> {
    fn expected_type_text(&self) -> &'static str {
        match self.field_type {
            FieldType::String => "a string",
            FieldType::Double => "a number",
            FieldType::Long => "an integer between -2^63 and 2^63-1",
            FieldType::Boolean => "true or false",
        }
    }

    fn is_lenient(&self) -> bool {
        self.context.rules.type_conversion == TypeConversion::Lenient
    }

    fn converts_to_string(&self) -> bool {
        self.field_type == FieldType::String && self.is_lenient()
    }

    fn wrong_type_error<E: Error>(&self, found: &str) -> E {
        self.context.store_decode_error(DecodeError::WrongType {
            field: self.field_name.into(),
            expected: self.expected_type_text(),
            found: truncate_for_error(found),
        })
    }
}

impl<'a> FieldValueReader<'a, '_> {
    /// Reads the JSON string `text` as a value of another type, as Flink's JSON format does. Flink also reads `NaN` and
    /// `Infinity` as doubles, and any text other than `true` as `false`. These are errors here.
    fn convert_string<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        let trimmed = trim_as_java(text);
        let value = match self.field_type {
            _ if !self.is_lenient() => None,
            FieldType::Double => trimmed.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double),
            FieldType::Long => trimmed.parse().ok().map(Value::Long),
            FieldType::Boolean if trimmed.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
            FieldType::Boolean if trimmed.eq_ignore_ascii_case("false") => Some(Value::Boolean(false)),
            FieldType::Boolean | FieldType::String => None,
        };
        value.ok_or_else(|| self.wrong_type_error(&Unexpected::Str(text).to_string()))
    }
}

impl<'a> DeserializeSeed<'a> for FieldValueReader<'a, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for FieldValueReader<'a, '_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected_type_text())
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::String => Ok(Value::String(text)),
            _ => self.convert_string(text),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::String => Ok(Value::String(self.context.arena.alloc_str(text))),
            _ => self.convert_string(text),
        }
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Boolean => Ok(Value::Boolean(truth)),
            _ if self.converts_to_string() => Ok(Value::String(if truth { "true" } else { "false" })),
            _ => Err(self.wrong_type_error(&Unexpected::Bool(truth).to_string())),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Long => Ok(Value::Long(number)),
            // An integer in a double field becomes the nearest double.
            FieldType::Double => Ok(Value::Double(number as f64)),
            _ if self.converts_to_string() => Ok(Value::String(self.context.arena.alloc_str(&number.to_string()))),
            _ => Err(self.wrong_type_error(&Unexpected::Signed(number).to_string())),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'a>, E> {
        match (self.field_type, i64::try_from(number)) {
            (FieldType::Double, _) => Ok(Value::Double(number as f64)),
            (FieldType::Long, Ok(number)) => Ok(Value::Long(number)),
            _ if self.converts_to_string() => Ok(Value::String(self.context.arena.alloc_str(&number.to_string()))),
            _ => Err(self.wrong_type_error(&Unexpected::Unsigned(number).to_string())),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "`is_exact_integer` has checked the range")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Double => Ok(Value::Double(number)),
            // `serde_json` reads both `-0` and `-0.0` as the float -0.0. The integer `-0` must be accepted, so `-0.0`
            // is accepted too.
            FieldType::Long if number == 0.0 && number.is_sign_negative() => Ok(Value::Long(0)),
            FieldType::Long if self.is_lenient() && is_exact_integer(number) => Ok(Value::Long(number as i64)),
            _ if self.converts_to_string() => Ok(self.context.request_source_text()),
            _ => Err(self.wrong_type_error(&Unexpected::Float(number).to_string())),
        }
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Value<'a>, A::Error> {
        if !self.converts_to_string() {
            return Err(self.wrong_type_error("an array"));
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.context.request_source_text())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        if !self.converts_to_string() {
            return Err(self.wrong_type_error("an object"));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.context.request_source_text())
    }
}

/// Returns whether `number` is an integer, and no other integer has `number` as its nearest double.
fn is_exact_integer(number: f64) -> bool {
    const FIRST_INEXACT_INTEGER: f64 = 9_007_199_254_740_992.0; // 2^53
    number.fract() == 0.0 && number.abs() < FIRST_INEXACT_INTEGER
}

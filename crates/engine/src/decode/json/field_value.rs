//! Reads the value of a declared field. Refuses a value of another type than the schema declares.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use windrow_core::{FieldType, Value};

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

    fn wrong_type_error<E: Error>(&self, found: &str) -> E {
        self.context.store_decode_error(DecodeError::WrongType {
            field: self.field_name.into(),
            expected: self.expected_type_text(),
            found: truncate_for_error(found),
        })
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

    reject_other_types!();

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::String => Ok(Value::String(text)),
            _ => Err(self.wrong_type_error(&Unexpected::Str(text).to_string())),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        self.visit_borrowed_str(self.context.arena.alloc_str(text))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Boolean => Ok(Value::Boolean(truth)),
            _ => Err(self.wrong_type_error(&Unexpected::Bool(truth).to_string())),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Long => Ok(Value::Long(number)),
            // An integer in a double field becomes the nearest double.
            FieldType::Double => Ok(Value::Double(number as f64)),
            _ => Err(self.wrong_type_error(&Unexpected::Signed(number).to_string())),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'a>, E> {
        match (self.field_type, i64::try_from(number)) {
            (FieldType::Double, _) => Ok(Value::Double(number as f64)),
            (FieldType::Long, Ok(number)) => Ok(Value::Long(number)),
            _ => Err(self.wrong_type_error(&Unexpected::Unsigned(number).to_string())),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'a>, E> {
        match self.field_type {
            FieldType::Double => Ok(Value::Double(number)),
            // `serde_json` reads both `-0` and `-0.0` as the float -0.0. The integer `-0` must be accepted, so `-0.0`
            // is accepted too.
            FieldType::Long if number == 0.0 && number.is_sign_negative() => Ok(Value::Long(0)),
            _ => Err(self.wrong_type_error(&Unexpected::Float(number).to_string())),
        }
    }
}

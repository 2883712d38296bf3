//! Reads the entity key. A string is the key itself. A number becomes a key with the same characters as in the record
//! (rule 8 of `docs/windows.md`).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use windrow_core::Value;

use super::decode_context::JsonDecodeContext;
use crate::decode::error::{DecodeError, truncate_for_error};

/// Reads an entity key from a JSON string or number. Returns NULL for null.
#[derive(Clone, Copy)]
pub(super) struct EntityKeyReader<'a, 'c>(pub(super) JsonDecodeContext<'a, 'c>);

impl EntityKeyReader<'_, '_> {
    fn expected_type_text(&self) -> &'static str {
        "a string or a number"
    }

    fn wrong_type_error<E: Error>(&self, found: &str) -> E {
        self.0.store_decode_error(DecodeError::WrongType {
            field: self.0.rules.schema.entity_key_name().into(),
            expected: self.expected_type_text(),
            found: truncate_for_error(found),
        })
    }
}

impl<'a> DeserializeSeed<'a> for EntityKeyReader<'a, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for EntityKeyReader<'a, '_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected_type_text())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value<'a>, E> {
        Err(self.wrong_type_error(&Unexpected::Bool(truth).to_string()))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Value<'a>, A::Error> {
        Err(self.wrong_type_error("an array"))
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Value<'a>, A::Error> {
        Err(self.wrong_type_error("an object"))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::String(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'a>, E> {
        Ok(Value::String(self.0.arena.alloc_str(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'a>, E> {
        Ok(Value::String(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'a>, E> {
        Ok(Value::String(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<Value<'a>, E> {
        Ok(self.0.request_source_text())
    }
}

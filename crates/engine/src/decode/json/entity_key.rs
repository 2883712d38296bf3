//! Reads the entity key. A string is the key itself. A number becomes a key with the same characters as in the record
//! (rule 8 of `docs/windows.md`).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::decode_context::JsonDecodeContext;
use crate::decode::error::{DecodeError, truncate_for_error};
use crate::decode::rules::DecodeRules;

/// The text of an entity key, if the first pass over the record can determine the text.
pub(super) enum EntityKeyText<'a> {
    Text(&'a str),
    Null,
    /// The entity key is a number that `serde_json` reads as a float, such as `1.50` or `1e3`. The characters of the
    /// number in the record are still unknown.
    FractionalNumber,
}

/// Reads an entity key from a JSON string or number.
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
    type Value = EntityKeyText<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<EntityKeyText<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for EntityKeyReader<'a, '_> {
    type Value = EntityKeyText<'a>;

    reject_other_types!(visit_bool(bool) => Unexpected::Bool);

    fn visit_unit<E: Error>(self) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::Text(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::Text(self.0.arena.alloc_str(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::Text(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::Text(self.0.arena.alloc_str(&number.to_string())))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<EntityKeyText<'a>, E> {
        Ok(EntityKeyText::FractionalNumber)
    }
}

/// Returns the characters of a numeric entity key, as they are written in `text`, the text of the record. The first
/// pass must have checked that `text` is well-formed JSON with exactly one entity key.
pub(super) fn find_numeric_key_text<'a>(rules: &DecodeRules, text: &'a str) -> Result<&'a str, DecodeError> {
    struct KeyTextFinder<'d>(&'d str);
    impl<'a> Visitor<'a> for KeyTextFinder<'_> {
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
    let name = rules.schema.entity_key_name();
    serde_json::Deserializer::from_str(text)
        .deserialize_map(KeyTextFinder(name))
        .map_err(|error| DecodeError::InvalidJson(truncate_for_error(&error.to_string())))?
        .map(RawValue::get)
        .ok_or_else(|| DecodeError::MissingField(name.into()))
}

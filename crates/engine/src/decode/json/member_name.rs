//! Reads the name of a member of a record's object, and looks it up in the schema.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use crate::decode::rules::DecodeRules;

/// The meaning of a member of the JSON object, according to the member's name.
pub(super) enum RecognizedMember {
    Time,
    Field(usize),
    Undeclared,
}

/// Reads the name of a member, and looks it up in the schema.
pub(super) struct MemberNameReader<'r>(pub(super) &'r DecodeRules);

impl<'a> DeserializeSeed<'a> for MemberNameReader<'_> {
    type Value = RecognizedMember;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<RecognizedMember, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberNameReader<'_> {
    type Value = RecognizedMember;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<RecognizedMember, E> {
        if *name == *self.0.time_field {
            return Ok(RecognizedMember::Time);
        }
        let field = self.0.schema.find_field(name);
        Ok(field.map_or(RecognizedMember::Undeclared, |id| RecognizedMember::Field(id.0)))
    }
}

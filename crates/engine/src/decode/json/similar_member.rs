//! Explains a missing field by a member of the record whose name is almost the same.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::decode::error::{DecodeError, truncate_for_error};

/// Returns `error`. If a field is missing in the JSON object `text`, and a member has the field's name in another
/// spelling, such as `User_Id` or `userId` for `user_id`, the returned error names that member.
pub(in crate::decode) fn explain_missing_field(error: DecodeError, text: &str) -> DecodeError {
    let DecodeError::MissingField(field) = error else { return error };
    let members = SimilarMemberFinder { field: &field };
    match serde_json::Deserializer::from_str(text).deserialize_map(members).ok().flatten() {
        Some(found) => DecodeError::MisspeltField { field, found },
        None => DecodeError::MissingField(field),
    }
}

/// Finds the first member whose name differs from `field` only in upper and lower case, `_` and `-`.
struct SimilarMemberFinder<'d> {
    field: &'d str,
}

impl<'a> Visitor<'a> for SimilarMemberFinder<'_> {
    type Value = Option<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if found.is_none() && name != self.field && normalize_name(&name).eq(normalize_name(self.field)) {
                found = Some(truncate_for_error(&name));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}

/// Returns the characters of `name` in lower case, without `_` and `-`.
fn normalize_name(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase)
}

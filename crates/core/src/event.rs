//! A decoded record: an entity, a time, and the declared fields.

use crate::time::EventTime;
use crate::value::{FieldType, Value};

/// The encoding of an event in the bytes of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventFormat {
    /// One JSON object with a member for every field.
    Json,
}

/// Position of a field in an [`EventSchema`] and in [`Event::field_values`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FieldId(pub usize);

/// The position of the entity key. The key is always the first field, and always text.
pub const ENTITY_KEY_FIELD: FieldId = FieldId(0);

/// A declared field of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventField {
    /// The JSON member that the value is read from.
    pub name: Box<str>,
    /// The type that every value must have.
    pub field_type: FieldType,
}

/// The fields of an event that features and conditions may name.
///
/// Invariant: the field at [`ENTITY_KEY_FIELD`] is the entity key and of type [`FieldType::String`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventSchema {
    fields: Box<[EventField]>,
}

impl EventSchema {
    /// Creates a schema with the entity key `key`, followed by `fields` in their declared order.
    #[must_use]
    pub fn new(key: &str, fields: impl IntoIterator<Item = EventField>) -> Self {
        let key = EventField { name: key.into(), field_type: FieldType::String };
        Self { fields: std::iter::once(key).chain(fields).collect() }
    }

    /// Returns all fields; a field's position is its [`FieldId`].
    #[must_use]
    pub fn fields(&self) -> &[EventField] {
        &self.fields
    }

    /// Returns the entity key's name.
    #[must_use]
    pub fn entity_key_name(&self) -> &str {
        &self.fields[ENTITY_KEY_FIELD.0].name
    }

    /// Returns the field called `name`.
    #[must_use]
    pub fn find_field(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|field| *field.name == *name).map(FieldId)
    }

    /// Returns the type of field `id`.
    #[must_use]
    pub fn field_type(&self, id: FieldId) -> FieldType {
        self.fields[id.0].field_type
    }
}

/// One decoded event, borrowed from the record's bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event<'a> {
    /// The entity that the event belongs to (the user).
    pub entity_key: &'a str,
    /// The event time.
    pub time: EventTime,
    /// One value per field of the [`EventSchema`], in the order of the schema. The first value repeats the entity key.
    pub field_values: &'a [Value<'a>],
}

//! An event: a decoded record with an entity key, an event time and the declared fields.

use crate::time::EventTime;
use crate::value::{FieldType, Value};

/// The encoding of an event in the bytes of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventFormat {
    /// One JSON object, whose members hold the entity key, the event time and the declared fields.
    Json,
}

/// Which values of another type than declared are converted to the declared type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeConversion {
    /// Values that Flink's JSON format converts and that can be converted exactly: `"29.99"` to a double, `3.0` to a
    /// long, `42` to a string.
    Lenient,
    /// None. A record with a value of another type is a dead letter.
    Strict,
}

/// The unit of an event time that is a number since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl EpochUnit {
    /// All units, from the longest to the shortest.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// Returns the name of the unit in the pipeline file.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// Returns the name of the unit in messages.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    /// Converts an integer in this unit to milliseconds, rounded down. `number` fits into 65 bits, so nothing overflows.
    #[must_use]
    pub const fn milliseconds_from_integer(self, number: i128) -> i128 {
        match self {
            Self::Seconds => number * 1_000,
            Self::Milliseconds => number,
            Self::Microseconds => number.div_euclid(1_000),
            Self::Nanoseconds => number.div_euclid(1_000_000),
        }
    }

    /// Converts a double in this unit to milliseconds, rounded down. Seconds are first rounded to microseconds: the
    /// double nearest to 1704103200.123 is a little smaller than this number.
    #[must_use]
    pub fn milliseconds_from_double(self, number: f64) -> f64 {
        let milliseconds = match self {
            Self::Seconds => (number * 1e6).round() / 1e3,
            Self::Milliseconds => number,
            Self::Microseconds => number / 1e3,
            Self::Nanoseconds => number / 1e6,
        };
        milliseconds.floor()
    }
}

/// The position of a field in an [`EventSchema`], and of its value in [`Event::field_values`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FieldId(pub usize);

/// The number of bytes of the longest text that aggregates keep, if the pipeline file does not say otherwise.
pub const DEFAULT_MAX_FIELD_BYTES: usize = 1_024;

/// The position of the entity key, which is always the first field and always text.
pub const ENTITY_KEY_FIELD: FieldId = FieldId(0);

/// A declared field of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventField {
    /// The name of the JSON member that holds the value.
    pub name: Box<str>,
    /// The type of the values. A record with a value that cannot be read as this type is a dead letter.
    pub field_type: FieldType,
}

/// The fields that features and conditions may name: the entity key and the declared fields of an event.
///
/// Invariant: the field at [`ENTITY_KEY_FIELD`] is the entity key and of type [`FieldType::String`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventSchema {
    fields: Box<[EventField]>,
    max_field_bytes: usize,
}

impl EventSchema {
    /// Creates a schema. Its first field is the entity key, whose name is `key`. The declared `fields` follow in the
    /// given order.
    #[must_use]
    pub fn new(key: &str, fields: impl IntoIterator<Item = EventField>) -> Self {
        let key = EventField { name: key.into(), field_type: FieldType::String };
        Self { fields: std::iter::once(key).chain(fields).collect(), max_field_bytes: DEFAULT_MAX_FIELD_BYTES }
    }

    /// Returns the schema with another limit for the texts that aggregates keep. To `min`, `max`, `first` and `last`, a
    /// text of more than `max_field_bytes` bytes is NULL.
    #[must_use]
    pub fn with_max_field_bytes(self, max_field_bytes: usize) -> Self {
        Self { max_field_bytes, ..self }
    }

    /// Returns the number of bytes of the longest text that aggregates keep.
    #[must_use]
    pub const fn max_field_bytes(&self) -> usize {
        self.max_field_bytes
    }

    /// Returns all fields. The index of a field in the result is its [`FieldId`].
    #[must_use]
    pub fn fields(&self) -> &[EventField] {
        &self.fields
    }

    /// Returns the name of the entity key's JSON member.
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

/// One decoded event. Its texts are borrowed from the bytes of the record.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event<'a> {
    /// The key of the entity (the user) that the event belongs to.
    pub entity_key: &'a str,
    /// The event time.
    pub time: EventTime,
    /// One value for each field of the [`EventSchema`], in the order of the schema. The first value is the entity key.
    pub field_values: &'a [Value<'a>],
}

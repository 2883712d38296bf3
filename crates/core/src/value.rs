//! Values of event fields and of features, and the types of fields.

/// The declared type of an event field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// UTF-8 text.
    String,
    /// IEEE 754 double; any JSON number.
    Double,
    /// 64-bit signed integer.
    Long,
    /// `true` or `false`.
    Boolean,
}

impl FieldType {
    /// Returns the name of the type in the pipeline file.
    #[must_use]
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Double => "double",
            Self::Long => "long",
            Self::Boolean => "boolean",
        }
    }

    /// Returns whether values of this type can be added up.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::Double | Self::Long)
    }
}

/// The value of a field or a feature. A text is borrowed from the record, from the state of the shard, or from a
/// [`Literal`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// No value: the field is missing or `null` in the event, or an aggregate has no value. Comparisons with NULL are
    /// not true, and aggregates skip NULL (window rule 8).
    Null,
    /// Text.
    String(&'a str),
    /// A double. The value of an event's field is never NaN.
    Double(f64),
    /// An integer.
    Long(i64),
    /// A truth value.
    Boolean(bool),
}

/// A constant that owns its text: a literal in a condition, or the default of a feature.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// Text.
    String(Box<str>),
    /// A double.
    Double(f64),
    /// An integer.
    Long(i64),
    /// A truth value.
    Boolean(bool),
}

impl Literal {
    /// Returns the literal as a borrowed value.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text),
            Self::Double(number) => Value::Double(*number),
            Self::Long(number) => Value::Long(*number),
            Self::Boolean(truth) => Value::Boolean(*truth),
        }
    }
}

//! The reasons why a record is not an event.

use super::limits::MAX_RECORD_BYTES;

/// The maximum number of characters of a record that an error quotes. The text of an error must be short, because
/// Windrow logs the text and writes it into a header of the dead letter.
const MAX_QUOTED_CHARS: usize = 200;

/// Returns the first [`MAX_QUOTED_CHARS`] characters of `text`, with an ellipsis if `text` is longer.
pub(super) fn truncate_for_error(text: &str) -> Box<str> {
    windrow_core::text::truncate_with_ellipsis(text, MAX_QUOTED_CHARS).into()
}

/// The reason why a record is not an event.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload is Kafka's null value.
    #[error("the record has no value (null)")]
    NullPayload,
    /// The payload is empty or contains only white space.
    #[error("the record is empty")]
    EmptyPayload,
    /// The payload is larger than [`MAX_RECORD_BYTES`]. The variant holds the size in bytes.
    #[error("the record is {0} bytes long, but the limit is {MAX_RECORD_BYTES} bytes")]
    TooLarge(usize),
    /// The payload is not valid UTF-8. The variant holds the position of the first invalid byte.
    #[error("the record is not UTF-8: the byte at position {0} is invalid")]
    NotUtf8(usize),
    /// The payload is a JSON array.
    #[error("the record is a JSON array; a record must be one JSON object")]
    JsonArray,
    /// The payload is not valid JSON, or is neither a JSON object nor a JSON array.
    #[error("malformed JSON: {0}")]
    InvalidJson(Box<str>),
    /// The entity key or the event time is missing or null.
    #[error("`{0}` is missing")]
    MissingField(Box<str>),
    /// The entity key or the event time is missing, but a member has almost the same name.
    #[error("`{field}` is missing, but there is `{found}`; names must be equal, also in upper and lower case")]
    MisspeltField {
        /// The name in the pipeline file.
        field: Box<str>,
        /// The name in the record.
        found: Box<str>,
    },
    /// A declared field, the entity key or the event time occurs twice in the JSON object.
    #[error("`{0}` occurs twice")]
    DuplicateField(Box<str>),
    /// The value of a declared field, the entity key or the event time has the wrong type.
    #[error("`{field}` must be {expected} but is {found}")]
    WrongType {
        /// The name of the field.
        field: Box<str>,
        /// The accepted types, such as "a string or a number".
        expected: &'static str,
        /// The value in the record, or the type of the value.
        found: Box<str>,
    },
    /// The event time cannot be parsed or is out of range.
    #[error("`{field}` is not an event time: {reason}")]
    InvalidEventTime {
        /// The name of the field.
        field: Box<str>,
        /// The reason why the value is not a valid event time.
        reason: Box<str>,
    },
    /// The entity key is longer than the pipeline allows.
    #[error("`{field}` is {bytes} bytes long; `max_key_bytes` allows {max}")]
    KeyTooLong {
        /// The name of the field.
        field: Box<str>,
        /// The length of the entity key in bytes.
        bytes: usize,
        /// The maximum length of an entity key in bytes.
        max: usize,
    },
}

//! Why a record is not an event.

use super::limits::MAX_RECORD_BYTES;

/// What a reason quotes of a record, at most, in characters: reasons are logged and sent as headers.
const MAX_QUOTED_CHARS: usize = 200;

/// Returns `text`, cut after [`MAX_QUOTED_CHARS`] characters.
pub(super) fn truncate_quoted(text: &str) -> Box<str> {
    windrow_core::text::shorten(text, MAX_QUOTED_CHARS).into()
}

/// Why a record is not an event.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Kafka's null value.
    #[error("the record has no value (null)")]
    NullPayload,
    /// No bytes, or white space only.
    #[error("the record is empty")]
    EmptyPayload,
    /// Larger than [`MAX_RECORD_BYTES`].
    #[error("the record is {0} bytes long; at most {MAX_RECORD_BYTES} are read")]
    TooLarge(usize),
    /// Not text.
    #[error("not UTF-8: the byte at {0} does not belong there")]
    NotUtf8(usize),
    /// Not a JSON object.
    #[error("malformed JSON: {0}")]
    InvalidJson(Box<str>),
    /// The entity key or the event time is missing or null.
    #[error("`{0}` is missing")]
    MissingField(Box<str>),
    /// A declared field occurs twice.
    #[error("`{0}` occurs twice")]
    DuplicateField(Box<str>),
    /// A declared field holds a value of another type.
    #[error("`{field}` must be {expected} but is {found}")]
    WrongType {
        /// The field.
        field: Box<str>,
        /// The type that was declared.
        expected: &'static str,
        /// What it is.
        found: Box<str>,
    },
    /// The event time is not a time.
    #[error("`{field}` is not an event time: {reason}")]
    InvalidEventTime {
        /// The field.
        field: Box<str>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The entity key is longer than allowed.
    #[error("`{field}` is {bytes} bytes long; `max_key_bytes` allows {max}")]
    KeyTooLong {
        /// The field.
        field: Box<str>,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

//! Decoding: from a record's bytes to an event, or to the reason why it is none.
//!
//! Owns: what counts as a well-formed event, whatever its format. Does not own: what happens to a malformed one (the
//! worker makes it a dead letter).
//! Invariants: (1) no input panics, recurses deeper than [`MAX_DEPTH`], or takes more memory than a small multiple of
//! its own size; (2) the result depends on the bytes and the pipeline alone.

mod json;
mod time;

use bumpalo::Bump;
use jiff::tz::TimeZone;
use windrow_core::{Event, EventFormat, EventSchema};

/// The largest record that is decoded, in bytes: Kafka's own default limit for a batch. Larger ones are dead letters.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The deepest nesting of JSON arrays and objects that is read. Deeper ones are dead letters.
pub const MAX_DEPTH: usize = 128;

/// Turns records into events of one schema.
#[derive(Clone, Debug)]
pub struct EventDecoder {
    format: EventFormat,
    schema: EventSchema,
    time_field: Box<str>,
    time_zone: TimeZone,
    max_key_bytes: usize,
}

impl EventDecoder {
    /// Creates a decoder for records in `format` with the fields of `schema` and an event time in `time_field`. A time
    /// without an offset is read in `time_zone`. Keys longer than `max_key_bytes` are refused.
    #[must_use]
    pub fn new(
        format: EventFormat,
        schema: EventSchema,
        time_field: &str,
        time_zone: TimeZone,
        max_key_bytes: usize,
    ) -> Self {
        Self { format, schema, time_field: time_field.into(), time_zone, max_key_bytes }
    }

    /// What it makes of records, in words: the same words, the same events.
    pub(crate) fn describe_decoding(&self) -> String {
        let zone = self.time_zone.iana_name().map_or_else(|| format!("{:?}", self.time_zone), str::to_owned);
        let fields = self.schema.fields().iter().map(|field| format!("{} {}", field.name, field.field_type.name()));
        let fields: Vec<_> = fields.collect();
        let format = match self.format {
            EventFormat::Json => "json",
        };
        format!(
            "{format}, {} in {zone}, keys up to {} bytes, [{}]",
            self.time_field,
            self.max_key_bytes,
            fields.join(", ")
        )
    }

    /// Decodes one record. The event borrows from `payload` and, for text that had to be unescaped, from `arena`.
    ///
    /// # Errors
    /// The reason why the record is not an event.
    pub fn decode<'a>(&'a self, payload: Option<&'a [u8]>, arena: &'a Bump) -> Result<Event<'a>, DecodeError> {
        let payload = payload.ok_or(DecodeError::NullPayload)?;
        if payload.len() > MAX_RECORD_BYTES {
            return Err(DecodeError::TooLarge(payload.len()));
        }
        let text = std::str::from_utf8(payload).map_err(|error| DecodeError::NotUtf8(error.valid_up_to()))?;
        if text.trim_ascii().is_empty() {
            return Err(DecodeError::EmptyPayload);
        }
        match self.format {
            EventFormat::Json => json::decode_json_event(self, text, arena),
        }
    }
}

/// What a reason quotes of a record, at most, in characters: reasons are logged and sent on as headers.
const MAX_QUOTED_CHARS: usize = 200;

/// `text`, cut where it is long.
fn truncate_quoted(text: &str) -> Box<str> {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
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
    /// A declared field stands there twice.
    #[error("`{0}` occurs twice")]
    DuplicateField(Box<str>),
    /// A declared field holds something else than it was declared to.
    #[error("`{field}` must be {expected} but is {found}")]
    WrongType {
        /// The field.
        field: Box<str>,
        /// What was declared.
        expected: &'static str,
        /// What is there.
        found: Box<str>,
    },
    /// The event time is no time.
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

#[cfg(test)]
mod tests;

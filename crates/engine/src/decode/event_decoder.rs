//! The decoder of a pipeline, for every record format.

use bumpalo::Bump;
use jiff::tz::TimeZone;
use windrow_core::{Event, EventFormat, EventSchema};

use super::error::DecodeError;
use super::json;
use super::limits::MAX_RECORD_BYTES;
use super::rules::DecodeRules;

/// Decodes records into events of one schema.
#[derive(Clone, Debug)]
pub struct EventDecoder {
    format: EventFormat,
    rules: DecodeRules,
}

impl EventDecoder {
    /// Creates a decoder for records in `format`. The fields follow `schema`, and `time_field` holds the event time. An
    /// event time without a UTC offset is read in `time_zone`. Keys longer than `max_key_bytes` are refused.
    #[must_use]
    pub fn new(
        format: EventFormat,
        schema: EventSchema,
        time_field: &str,
        time_zone: TimeZone,
        max_key_bytes: usize,
    ) -> Self {
        Self { format, rules: DecodeRules { schema, time_field: time_field.into(), time_zone, max_key_bytes } }
    }

    /// Describes the decoding rules. Decoders with equal descriptions decode equally. Manifests record the description.
    pub(crate) fn describe_decoding(&self) -> String {
        let DecodeRules { schema, time_field, time_zone, max_key_bytes } = &self.rules;
        let zone = time_zone.iana_name().map_or_else(|| format!("{time_zone:?}"), str::to_owned);
        let fields = schema.fields().iter().map(|field| format!("{} {}", field.name, field.field_type.type_name()));
        let fields: Vec<_> = fields.collect();
        let format = match self.format {
            EventFormat::Json => "json",
        };
        format!("{format}, {time_field} in {zone}, keys up to {max_key_bytes} bytes, [{}]", fields.join(", "))
    }

    /// Decodes one record. The event borrows from `payload`. Text that had to be unescaped is borrowed from `arena`.
    ///
    /// # Errors
    /// When the record is not an event; the error is the reason.
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
            EventFormat::Json => json::decode_json_event(&self.rules, text, arena),
        }
    }
}

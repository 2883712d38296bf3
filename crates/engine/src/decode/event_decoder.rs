//! The decoder for the records of one pipeline. The result for each record is an event or a [`DecodeError`].

use bumpalo::Bump;
use windrow_core::{EpochUnit, Event, EventFormat, EventTime, TypeConversion};

use super::error::DecodeError;
use super::json;
use super::limits::MAX_RECORD_BYTES;
use super::rules::DecodeRules;

/// The byte order mark in front of a text. Some editors and serializers write it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Decodes the records of one pipeline into events.
#[derive(Clone, Debug)]
pub struct EventDecoder {
    rules: DecodeRules,
}

impl EventDecoder {
    /// Creates a decoder for the records of a pipeline.
    #[must_use]
    pub const fn new(rules: DecodeRules) -> Self {
        Self { rules }
    }

    pub(super) const fn rules(&self) -> &DecodeRules {
        &self.rules
    }

    /// Returns a text with all decoding rules, for the manifest of a checkpoint. If the texts of two decoders are
    /// equal, both decoders decode every record in the same way.
    pub(crate) fn describe_decoding_rules(&self) -> String {
        let DecodeRules {
            format,
            schema,
            type_conversion,
            time_field,
            time_number_unit,
            time_text_format,
            time_zone,
            max_key_bytes,
        } = &self.rules;
        let unit = time_number_unit.map_or("no unit", EpochUnit::symbol);
        let time_format = time_text_format.as_deref().unwrap_or("ISO 8601");
        let zone = time_zone.iana_name().map_or_else(|| format!("{time_zone:?}"), str::to_owned);
        let fields = schema.fields().iter().map(|field| format!("{} {}", field.name, field.field_type.type_name()));
        let fields: Vec<_> = fields.collect();
        let format = match format {
            EventFormat::Json => "json",
        };
        let types = match type_conversion {
            TypeConversion::Lenient => "lenient types",
            TypeConversion::Strict => "strict types",
        };
        let time = format!("{time_field} in {zone}, {unit}, {time_format:?}");
        let max_field_bytes = schema.max_field_bytes();
        let limits = format!("keys up to {max_key_bytes} bytes, kept texts up to {max_field_bytes} bytes");
        format!("{format}, {types}, {time}, {limits}, [{}]", fields.join(", "))
    }

    /// Decodes the payload of one record. Skips a byte order mark in front of it. The event borrows its texts from
    /// `payload`. If a text contains JSON escapes, the decoder writes the unescaped text into `arena`, and the event
    /// borrows it from there.
    ///
    /// # Errors
    /// When the record is not an event. The text of the error is the reason that the dead letter states.
    pub fn decode<'a>(&'a self, payload: Option<&'a [u8]>, arena: &'a Bump) -> Result<Event<'a>, DecodeError> {
        let payload = payload.ok_or(DecodeError::NullPayload)?;
        if payload.len() > MAX_RECORD_BYTES {
            return Err(DecodeError::TooLarge(payload.len()));
        }
        let text = std::str::from_utf8(payload).map_err(|error| DecodeError::NotUtf8(error.valid_up_to()))?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Err(DecodeError::EmptyPayload);
        }
        match self.rules.format {
            EventFormat::Json => json::decode_json_event(&self.rules, text, arena)
                .map_err(|error| json::explain_missing_field(error, text)),
        }
    }

    /// Returns the event time of a record, or `None` if the record is not an event. For callers that decode few records
    /// and need nothing else of the event.
    #[must_use]
    pub fn decode_event_time(&self, payload: Option<&[u8]>) -> Option<EventTime> {
        let arena = Bump::new();
        self.decode(payload, &arena).ok().map(|event| event.time)
    }
}

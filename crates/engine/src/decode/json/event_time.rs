//! Reads an event time from a JSON value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use windrow_core::EventTime;

use super::decode_context::JsonDecodeContext;
use crate::decode::error::{DecodeError, truncate_for_error};
use crate::decode::event_time_text;

/// The visitor that reads an event time from a JSON string or number. Returns `None` for null.
#[derive(Clone, Copy)]
pub(super) struct EventTimeReader<'a, 'c>(pub(super) JsonDecodeContext<'a, 'c>);

impl EventTimeReader<'_, '_> {
    fn expected_type_text(&self) -> &'static str {
        "a time as text or a number of milliseconds"
    }

    fn wrong_type_error<E: Error>(&self, found: &str) -> E {
        self.0.store_decode_error(DecodeError::WrongType {
            field: self.0.rules.time_field.clone(),
            expected: self.expected_type_text(),
            found: truncate_for_error(found),
        })
    }

    fn event_time_or_decode_error<E: Error>(&self, time: Result<EventTime, String>) -> Result<Option<EventTime>, E> {
        time.map(Some).map_err(|reason| {
            self.0.store_decode_error(DecodeError::InvalidEventTime {
                field: self.0.rules.time_field.clone(),
                reason: reason.into(),
            })
        })
    }
}

impl<'a> DeserializeSeed<'a> for EventTimeReader<'a, '_> {
    type Value = Option<EventTime>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for EventTimeReader<'a, '_> {
    type Value = Option<EventTime>;

    reject_other_types!(visit_bool(bool) => Unexpected::Bool);

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::parse_event_time(text, self.0.rules))
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::event_time_from_integer_ms(ms))
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::event_time_from_integer_ms(
            i64::try_from(ms).unwrap_or(i64::MAX),
        ))
    }

    fn visit_f64<E: Error>(self, ms: f64) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::event_time_from_double_ms(ms))
    }
}

//! Reads an event time from a JSON value: a string, a number, or an array of the parts of a date.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use windrow_core::{EpochUnit, EventTime};

use super::decode_context::JsonDecodeContext;
use crate::decode::error::{DecodeError, truncate_for_error};
use crate::decode::event_time_text;

/// The maximum number of parts of a time in an array: from the year to the nanosecond.
const MAX_TIME_PARTS: usize = 7;

/// The visitor that reads an event time from a JSON string, number or array. Returns `None` for null.
#[derive(Clone, Copy)]
pub(super) struct EventTimeReader<'a, 'c>(pub(super) JsonDecodeContext<'a, 'c>);

impl EventTimeReader<'_, '_> {
    fn expected_type_text(&self) -> &'static str {
        match self.0.rules.time_number_unit {
            Some(EpochUnit::Milliseconds) => "a time as text or a number of milliseconds",
            Some(EpochUnit::Seconds) => "a time as text or a number of seconds",
            Some(EpochUnit::Microseconds) => "a time as text or a number of microseconds",
            Some(EpochUnit::Nanoseconds) => "a time as text or a number of nanoseconds",
            None => "a time in the format of the pipeline file",
        }
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

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected_type_text())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Err(self.wrong_type_error(&Unexpected::Bool(truth).to_string()))
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.wrong_type_error("an object"))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::parse_event_time(text, self.0.rules))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::event_time_from_integer(number, self.0.rules))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => self.event_time_or_decode_error(event_time_text::event_time_from_large_integer(
                i128::from(number),
                self.0.rules,
            )),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.event_time_or_decode_error(event_time_text::event_time_from_double(number, self.0.rules))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = [0; MAX_TIME_PARTS];
        let mut count = 0;
        while let Some(part) = seq.next_element::<&'a RawValue>()? {
            match (parts.get_mut(count), part.get().parse()) {
                (Some(place), Ok(number)) => *place = number,
                _ => return Err(self.wrong_type_error("an array")),
            }
            count += 1;
        }
        let time = event_time_text::event_time_from_parts(&parts[..count], self.0.rules);
        time.map(Some).ok_or_else(|| self.wrong_type_error("an array"))
    }
}

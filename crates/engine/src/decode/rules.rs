//! The settings of a pipeline that decide how records are decoded into events.

use jiff::tz::TimeZone;
use windrow_core::{EpochUnit, EventFormat, EventSchema, TypeConversion};

/// The settings of a pipeline that decide how records are decoded into events.
#[derive(Clone, Debug)]
pub struct DecodeRules {
    /// The encoding of an event in a record.
    pub format: EventFormat,
    /// The entity key and the declared fields.
    pub schema: EventSchema,
    /// Which values of another type than declared are converted.
    pub type_conversion: TypeConversion,
    /// The name of the record field that holds the event time.
    pub time_field: Box<str>,
    /// The unit of event times that are numbers since the epoch. With `None`, `time_text_format` applies to integers
    /// too.
    pub time_number_unit: Option<EpochUnit>,
    /// The format of event times that are texts, in the notation of strptime. With `None`, they are RFC 3339, or ISO
    /// 8601 without a UTC offset.
    pub time_text_format: Option<Box<str>>,
    /// The time zone of event times without a UTC offset.
    pub time_zone: TimeZone,
    /// The maximum length of an entity key in bytes. A record with a longer key is not an event.
    pub max_key_bytes: usize,
}

impl DecodeRules {
    /// Creates rules for JSON records with the defaults of the pipeline file.
    #[must_use]
    pub fn new(schema: EventSchema, time_field: &str) -> Self {
        Self {
            format: EventFormat::Json,
            schema,
            type_conversion: TypeConversion::Lenient,
            time_field: time_field.into(),
            time_number_unit: Some(EpochUnit::Milliseconds),
            time_text_format: None,
            time_zone: TimeZone::UTC,
            max_key_bytes: 1_024,
        }
    }
}

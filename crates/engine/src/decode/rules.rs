//! The settings of a pipeline that decide how records of any format are decoded into events.

use jiff::tz::TimeZone;
use windrow_core::EventSchema;

#[derive(Clone, Debug)]
pub(super) struct DecodeRules {
    pub(super) schema: EventSchema,
    /// The name of the record field that holds the event time.
    pub(super) time_field: Box<str>,
    /// The time zone of event times without a UTC offset.
    pub(super) time_zone: TimeZone,
    /// The maximum length of an entity key in bytes.
    pub(super) max_key_bytes: usize,
}

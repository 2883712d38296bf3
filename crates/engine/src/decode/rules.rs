//! The settings of a pipeline that decide how records become events, in every record format.

use jiff::tz::TimeZone;
use windrow_core::EventSchema;

/// The rules by which records of a pipeline become events.
#[derive(Clone, Debug)]
pub(super) struct DecodeRules {
    pub(super) schema: EventSchema,
    /// The name of the field that holds the event time.
    pub(super) time_field: Box<str>,
    /// The time zone of event times without a UTC offset.
    pub(super) time_zone: TimeZone,
    /// The length of the longest accepted entity key in bytes.
    pub(super) max_key_bytes: usize,
}

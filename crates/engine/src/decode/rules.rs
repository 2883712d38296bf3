//! What decoding needs to know of a pipeline, whatever the format of its records.

use jiff::tz::TimeZone;
use windrow_core::EventSchema;

/// How records of a pipeline become events.
#[derive(Clone, Debug)]
pub(super) struct DecodeRules {
    pub(super) schema: EventSchema,
    /// The member that holds the event time.
    pub(super) time_field: Box<str>,
    /// For event times without an offset.
    pub(super) time_zone: TimeZone,
    /// Longer entity keys are refused.
    pub(super) max_key_bytes: usize,
}

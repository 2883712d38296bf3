//! A strict parser for generated events. A payload that the parser refuses counts as malformed.

use jiff::{civil::DateTime, tz::Offset};
use serde::Deserialize;
use serde_json::value::RawValue;
use windrow_generator::GeneratedEvent;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventType {
    View,
    Cart,
    Purchase,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) time_ms: i64,
    pub(crate) user_id: String,
    pub(crate) event_type: EventType,
    pub(crate) price_cents: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json<'a> {
    event_time: &'a str,
    event_type: EventType,
    user_id: &'a str,
    /// The text of the number in the JSON, to check that it has two decimals.
    #[serde(borrow)]
    price: &'a RawValue,
}

impl Event {
    /// Returns `None` for a malformed event.
    pub(crate) fn parse(generated: GeneratedEvent<'_>) -> Option<Self> {
        let json: Json<'_> = serde_json::from_slice(generated.payload).ok()?;
        let time: DateTime = json.event_time.parse().ok()?;
        let (dollars, cents) = json.price.get().split_once('.')?;
        if cents.len() != 2 {
            return None;
        }
        assert_eq!(Some(json.user_id.as_bytes()), generated.record_key, "the key is the user id");
        Some(Self {
            time_ms: Offset::UTC.to_timestamp(time).ok()?.as_millisecond(),
            user_id: json.user_id.to_owned(),
            event_type: json.event_type,
            price_cents: dollars.parse::<u32>().ok()? * 100 + cents.parse::<u32>().ok()?,
        })
    }
}

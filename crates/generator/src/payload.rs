//! Formats an event as JSON, in the schema of the pipeline that is shipped with Windrow. All events share the same
//! buffers.

use std::io::Write;

use jiff::{Timestamp, tz::Offset};

use crate::shop::ShopEventType;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The values of one event as texts, which together form the payload of the event.
#[derive(Debug)]
pub(crate) struct PayloadParts {
    /// The event time, as in `2024-01-01T10:00:00.123`. The text of a whole second has no fraction.
    pub(crate) time_text: Vec<u8>,
    pub(crate) event_type: &'static str,
    /// The id of the user, such as `u1234`, which is also the record key.
    pub(crate) user_id: Vec<u8>,
    /// The price, as in `29.99`.
    pub(crate) price_text: Vec<u8>,
    /// The day of `cached_date`, in days since the epoch.
    cached_day: i64,
    /// The date of the previous event, as in `2024-01-01T`. The date is cached, because most events have the same date
    /// as the previous event.
    cached_date: Vec<u8>,
}

impl PayloadParts {
    pub(crate) fn new() -> Self {
        let mut pieces = Self {
            time_text: Vec::new(),
            event_type: "",
            user_id: Vec::new(),
            price_text: Vec::new(),
            cached_day: 0,
            cached_date: Vec::new(),
        };
        pieces.set_cached_date(0);
        pieces
    }

    /// Replaces all parts by the values of another event.
    pub(crate) fn set_event(&mut self, time_ms: i64, event_type: ShopEventType, user: u32, price_cents: u32) {
        self.set_time(time_ms);
        self.event_type = match event_type {
            ShopEventType::View => "view",
            ShopEventType::Cart => "cart",
            ShopEventType::Purchase => "purchase",
        };
        let mut digits = itoa::Buffer::new();
        self.user_id.clear();
        self.user_id.push(b'u');
        self.user_id.extend_from_slice(digits.format(user + 1).as_bytes());
        self.price_text.clear();
        self.price_text.extend_from_slice(digits.format(price_cents / 100).as_bytes());
        let [_, tens, ones] = format_three_digits(price_cents % 100);
        self.price_text.extend_from_slice(&[b'.', tens, ones]);
    }

    /// Appends the event as JSON to `payload`.
    pub(crate) fn append_json(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(b"{\"event_time\":\"");
        payload.extend_from_slice(&self.time_text);
        payload.extend_from_slice(b"\",\"event_type\":\"");
        payload.extend_from_slice(self.event_type.as_bytes());
        payload.extend_from_slice(b"\",\"user_id\":\"");
        payload.extend_from_slice(&self.user_id);
        payload.extend_from_slice(b"\",\"price\":");
        payload.extend_from_slice(&self.price_text);
        payload.push(b'}');
    }

    fn set_time(&mut self, time_ms: i64) {
        let day = time_ms.div_euclid(DAY_MS);
        if day != self.cached_day {
            self.set_cached_date(day);
        }
        let of_day = u32::try_from(time_ms.rem_euclid(DAY_MS)).unwrap_or_default();
        let (seconds, ms) = (of_day / 1000, of_day % 1000);
        let (minutes, second) = (seconds / 60, seconds % 60);
        let [_, h, hh] = format_three_digits(minutes / 60);
        let [_, m, mm] = format_three_digits(minutes % 60);
        let [_, s, ss] = format_three_digits(second);
        self.time_text.clear();
        self.time_text.extend_from_slice(&self.cached_date);
        self.time_text.extend_from_slice(&[h, hh, b':', m, mm, b':', s, ss]);
        if ms != 0 {
            let [a, b, c] = format_three_digits(ms);
            self.time_text.extend_from_slice(&[b'.', a, b, c]);
        }
    }

    /// Sets the cached day to `day`, and the cached date to the date of `day`. The last supported date is in the year
    /// 9999. A later day gets this last date.
    fn set_cached_date(&mut self, day: i64) {
        let midnight = Timestamp::from_second(day * (DAY_MS / 1000)).unwrap_or(Timestamp::MAX);
        let date = Offset::UTC.to_datetime(midnight).date();
        self.cached_day = day;
        self.cached_date.clear();
        // Writing to memory cannot fail.
        let _ = write!(self.cached_date, "{date}T");
    }
}

/// Returns a number below 1000 as three ASCII digits, with leading zeros.
#[expect(clippy::cast_possible_truncation, reason = "a digit is below 10")]
fn format_three_digits(number: u32) -> [u8; 3] {
    [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(time_ms: i64, event_type: ShopEventType, user: u32, price_cents: u32) -> String {
        let (mut pieces, mut payload) = (PayloadParts::new(), Vec::new());
        pieces.set_event(time_ms, event_type, user, price_cents);
        pieces.append_json(&mut payload);
        String::from_utf8(payload).unwrap()
    }

    #[test]
    fn events_have_the_shape_of_the_schema() {
        assert_eq!(
            json(1_704_103_200_123, ShopEventType::View, 1233, 2999),
            r#"{"event_time":"2024-01-01T10:00:00.123","event_type":"view","user_id":"u1234","price":29.99}"#
        );
        assert_eq!(
            json(1_709_251_199_000, ShopEventType::Purchase, 0, 100_005),
            r#"{"event_time":"2024-02-29T23:59:59","event_type":"purchase","user_id":"u1","price":1000.05}"#
        );
    }

    #[test]
    fn times_before_the_epoch_and_at_the_ends_of_the_calendar_have_dates() {
        let time = |time_ms| json(time_ms, ShopEventType::Cart, 0, 0)[15..38].to_owned();
        assert_eq!(time(-1), "1969-12-31T23:59:59.999");
        assert_eq!(time(crate::settings::MIN_START_MS - 1), "0001-01-01T23:59:59.999");
        assert_eq!(time(crate::settings::MAX_START_MS + 7), "9000-01-01T00:00:00.007");
        assert_eq!(time(i64::MAX), "9999-12-30T07:12:55.807");
    }
}

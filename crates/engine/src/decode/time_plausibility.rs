//! Finds event times that are far from the time of their record, but near it with another setting of the event time.
//!
//! The setting is only suggested. Windrow reads a number as the pipeline file says, whatever its size, because a replay
//! must give the same times.

use jiff::fmt::strtime;
use windrow_core::{EpochUnit, EventTime};

use super::event_decoder::EventDecoder;
use super::rules::DecodeRules;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// An event time is implausible if it is further from the time of its record than this. Two units of event times differ
/// by a factor of at least 1,000, so in this century a wrong unit is off by decades.
const MAX_PLAUSIBLE_DISTANCE_MS: u64 = 3_650 * DAY_MS;
/// Another setting is suggested if its event time is at most this far from the time of the record.
const MAX_SUGGESTED_DISTANCE_MS: u64 = 365 * DAY_MS;
/// Formats of local times that consist of digits, and so look like numbers.
const DIGIT_FORMATS: [&str; 3] = ["%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d"];

impl EventDecoder {
    /// Returns the setting with which the time of an event would be near `record_timestamp_ms`, as a line of the pipeline
    /// file. Returns `None` if `event_time` is plausible, or if no setting makes it plausible.
    pub(crate) fn suggest_time_setting(
        &self,
        event_time: EventTime,
        record_timestamp_ms: Option<i64>,
    ) -> Option<String> {
        let record_ms = record_timestamp_ms?;
        if event_time.ms().abs_diff(record_ms) <= MAX_PLAUSIBLE_DISTANCE_MS {
            return None;
        }
        suggest_setting_of_number(self.rules(), event_time, record_ms)
    }
}

#[cold]
fn suggest_setting_of_number(rules: &DecodeRules, event_time: EventTime, record_ms: i64) -> Option<String> {
    let unit = rules.time_number_unit?;
    let number = match unit {
        EpochUnit::Seconds => i128::from(event_time.ms().div_euclid(1_000)),
        EpochUnit::Milliseconds => i128::from(event_time.ms()),
        EpochUnit::Microseconds => i128::from(event_time.ms()) * 1_000,
        EpochUnit::Nanoseconds => i128::from(event_time.ms()) * 1_000_000,
    };
    let is_near = |ms: i128| ms.abs_diff(i128::from(record_ms)) <= u128::from(MAX_SUGGESTED_DISTANCE_MS);
    let is_better_unit = |other: &EpochUnit| *other != unit && is_near(other.milliseconds_from_integer(number));
    let setting = match EpochUnit::ALL.into_iter().find(is_better_unit) {
        Some(other) => format!("unit = \"{}\"", other.symbol()),
        None => {
            let digits = number.to_string();
            let is_better_format = |format: &&str| {
                let parsed = strtime::parse(format, &digits).and_then(|parsed| parsed.to_datetime());
                let timestamp = parsed.and_then(|datetime| rules.time_zone.to_timestamp(datetime));
                timestamp.is_ok_and(|timestamp| is_near(i128::from(timestamp.as_millisecond())))
            };
            format!("format = \"{}\"", DIGIT_FORMATS.into_iter().find(is_better_format)?)
        }
    };
    Some(format!("time = {{ field = {:?}, {setting} }}", rules.time_field))
}

#[cfg(test)]
mod tests {
    use windrow_core::{EpochUnit, EventSchema, EventTime};

    use crate::{DecodeRules, EventDecoder};

    /// 2024-01-01T10:00:00Z
    const RECORD_MS: i64 = 1_704_103_200_000;

    fn suggest(unit: EpochUnit, event_ms: i64) -> Option<String> {
        let rules = DecodeRules { time_number_unit: Some(unit), ..DecodeRules::new(EventSchema::new("u", []), "ts") };
        EventDecoder::new(rules).suggest_time_setting(EventTime::from_ms(event_ms), Some(RECORD_MS))
    }

    #[test]
    fn a_number_in_another_unit_or_format_is_noticed() {
        for (unit, event_ms, setting) in [
            (EpochUnit::Milliseconds, RECORD_MS / 1_000, "time = { field = \"ts\", unit = \"s\" }"),
            (EpochUnit::Microseconds, RECORD_MS / 1_000, "time = { field = \"ts\", unit = \"ms\" }"),
            (EpochUnit::Microseconds, RECORD_MS / 1_000_000, "time = { field = \"ts\", unit = \"s\" }"),
            (EpochUnit::Nanoseconds, RECORD_MS / 1_000, "time = { field = \"ts\", unit = \"us\" }"),
            (EpochUnit::Milliseconds, 20_240_101_100_000, "time = { field = \"ts\", format = \"%Y%m%d%H%M%S\" }"),
            (EpochUnit::Milliseconds, 202_401_011_000, "time = { field = \"ts\", format = \"%Y%m%d%H%M\" }"),
            (EpochUnit::Milliseconds, 20_240_101, "time = { field = \"ts\", format = \"%Y%m%d\" }"),
        ] {
            assert_eq!(suggest(unit, event_ms).as_deref(), Some(setting), "{event_ms}");
        }
    }

    #[test]
    fn old_and_wrong_times_that_no_setting_explains_are_not_reported() {
        let years = |count: i64| count * 365 * 24 * 60 * 60 * 1_000;
        for event_ms in
            [RECORD_MS, RECORD_MS - years(9), RECORD_MS - years(30), RECORD_MS + years(50), 0, -1, 19_990_101]
        {
            assert_eq!(suggest(EpochUnit::Milliseconds, event_ms), None, "{event_ms}");
        }
        let decoder = EventDecoder::new(DecodeRules::new(EventSchema::new("u", []), "ts"));
        assert_eq!(decoder.suggest_time_setting(EventTime::from_ms(RECORD_MS / 1_000), None), None);
    }
}

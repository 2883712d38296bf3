//! `time` and `time_zone` of `[event]`: where an event's time is in the record, and how it is written.
//!
//! Owns: the check that a format of texts can be read. Does not own: reading event times (the engine's decoder).

use jiff::civil::{DateTime, date};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use serde_json::{Value, json};
use windrow_core::EpochUnit;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::name::require_valid_field_name;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition, SettingValue};
use crate::read::setting::PipelineSetting;
use crate::read::text::{TextDefinition, TextPattern};
use crate::read::word_choice::WordChoice;
use crate::suggestion::build_closest_name_hint;

/// Java's limit of UTC offsets, in seconds. No place on Earth has ever been further from UTC.
const MAX_UTC_OFFSET_SECONDS: i32 = 18 * 3_600;

const FIELD_NAME: TextDefinition =
    TextDefinition::with_pattern(TextPattern::FieldName { reserved: &[], forbidden_characters: "" });

pub(super) static TIME: SettingDefinition<TextOrTable> = SettingDefinition::required(
    "time",
    "time = \"event_time\"",
    TextOrTable { text: FIELD_NAME, table: TIME_TABLE },
    "The JSON member with the event time: its name, or a table with its name, the unit of numbers and the format of \
     texts. A text is RFC 3339, or ISO 8601 without an offset, unless the format says otherwise.",
);
static TIME_TABLE: &SectionDefinition = &SectionDefinition {
    expected: "a name, or a table: `time = { field = \"ts\", unit = \"s\" }`",
    alternatives: &[],
    settings: &[&FIELD, &UNIT, &FORMAT],
};
static FIELD: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "field",
    "field = \"event_time\"",
    FIELD_NAME,
    "The name of the JSON member with the event time.",
);
static UNIT: SettingDefinition<WordChoice<EpochUnit>> = SettingDefinition::optional(
    "unit",
    WordChoice {
        words: &[
            (EpochUnit::Milliseconds.symbol(), EpochUnit::Milliseconds),
            (EpochUnit::Seconds.symbol(), EpochUnit::Seconds),
            (EpochUnit::Microseconds.symbol(), EpochUnit::Microseconds),
            (EpochUnit::Nanoseconds.symbol(), EpochUnit::Nanoseconds),
        ],
        is_optional: true,
        noun: Some("a unit of time"),
    },
    "The unit of event times that are numbers since 1970-01-01T00:00:00Z. With `format` and without `unit`, the digits of \
     an integer are read by the format.",
);
static FORMAT: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "format",
    TextDefinition::NOT_BLANK,
    "The format of event times that are texts, in the notation of strptime: `%d/%m/%Y %H:%M:%S`.",
);
pub(super) static TIME_ZONE: SettingDefinition<TextDefinition> = SettingDefinition::optional(
    "time_zone",
    TextDefinition { pattern: TextPattern::NotBlank, max_bytes: None, default: Some("UTC") },
    "The time zone of event times without an offset: a name of the IANA time zone database, such as `Asia/Seoul`, or a \
     UTC offset, such as `+09:00`.",
);

/// Common abbreviations of time zones that the IANA database does not have. Each has several meanings, so they are hints
/// only.
const ABBREVIATED_TIME_ZONES: &[(&str, &str)] = &[
    ("KST", "Asia/Seoul"),
    ("JST", "Asia/Tokyo"),
    ("IST", "Asia/Kolkata"),
    ("SGT", "Asia/Singapore"),
    ("HKT", "Asia/Hong_Kong"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
    ("MSK", "Europe/Moscow"),
    ("CEST", "Europe/Berlin"),
    ("BST", "Europe/London"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
];

/// A setting that is text, or a table with fixed names.
pub(super) struct TextOrTable {
    text: TextDefinition,
    table: &'static SectionDefinition,
}

impl SettingValue for TextOrTable {
    fn to_schema(&self) -> Value {
        json!({ "oneOf": [self.text.to_schema(), self.table.to_schema()] })
    }
}

/// The content of `time`.
pub(super) struct EventTimeSettings<'a> {
    pub(super) field: &'a str,
    /// The unit of numbers, or `None` if the format also applies to integers.
    pub(super) number_unit: Option<EpochUnit>,
    pub(super) text_format: Option<&'a str>,
}

/// Reads `time`, a member other than the entity key `key`.
pub(super) fn read_event_time<'a>(
    setting: &PipelineSetting<'a>,
    key: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<EventTimeSettings<'a>> {
    if !matches!(setting.value, DocumentValue::Table(_)) {
        if !matches!(setting.value, DocumentValue::Text(_)) {
            setting.report_wrong_type("text or a table", TIME_TABLE.expected, mistakes);
            return None;
        }
        let field = read_time_field(setting, key, mistakes)?;
        return Some(EventTimeSettings { field, number_unit: Some(EpochUnit::Milliseconds), text_format: None });
    }
    let mut table = TIME_TABLE.read_value(setting, mistakes)?;
    let field = table.find_setting(&FIELD).and_then(|setting| read_time_field(&setting, key, mistakes));
    let unit = table.find_setting(&UNIT);
    let format = table.find_setting(&FORMAT);
    let number_unit = match (&unit, &format) {
        (None, Some(_)) => Some(None),
        (None, None) => Some(Some(EpochUnit::Milliseconds)),
        (Some(unit), _) => UNIT.value.read_value(unit, mistakes).map(Some),
    };
    let text_format = match &format {
        Some(format) => read_time_format(format, mistakes).map(Some),
        None => Some(None),
    };
    table.report_unknown_and_missing_fields(mistakes);
    Some(EventTimeSettings { field: field?, number_unit: number_unit?, text_format: text_format? })
}

fn read_time_field<'a>(
    setting: &PipelineSetting<'a>,
    key: Option<&str>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<&'a str> {
    let name = setting.read_text("the name of the JSON member with the event time", mistakes)?;
    if key == Some(name) {
        let message = format!("`{name}` cannot be both the entity key and the event time");
        mistakes.report(DiagnosticCode::ConflictingFields, setting.location, message, "two different JSON members");
        return None;
    }
    require_valid_field_name("the event time", name, setting.location, mistakes).then_some(name)
}

fn read_time_format<'a>(setting: &PipelineSetting<'a>, mistakes: &mut DiagnosticCollector<'_>) -> Option<&'a str> {
    const EXPECTED_FORMAT: &str = "a format of strptime with year, month and day, such as \"%d/%m/%Y %H:%M:%S\"";
    let format = setting.read_text(EXPECTED_FORMAT, mistakes)?;
    if let Err(reason) = check_time_format(format) {
        let message = format!("`{}` {reason}", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_FORMAT);
        return None;
    }
    Some(format)
}

/// Checks that a time that was written in `format` can be read again. The error is the end of a sentence.
fn check_time_format(format: &str) -> Result<(), String> {
    const EXAMPLE: DateTime = date(2024, 12, 31).at(23, 58, 59, 987_654_321);
    let zone = TimeZoneDatabase::bundled().get("Asia/Seoul").map_err(|error| error.to_string())?;
    let example = zone.to_zoned(EXAMPLE).map_err(|error| error.to_string())?;
    let text = strtime::format(format, &example).map_err(|error| format!("is not a format of strptime: {error}"))?;
    let parsed = strtime::parse(format, &text).map_err(|error| format!("cannot be read: {error}"))?;
    if parsed.timestamp().is_some() {
        return Ok(());
    }
    if parsed.offset().is_none() && parsed.iana_time_zone().is_some() {
        return Err("names a time zone, but only an offset such as `%z` is read".to_owned());
    }
    let read = parsed.to_datetime().map_err(|error| format!("does not give a time: {error}"))?;
    if read.date() != EXAMPLE.date() {
        return Err("does not give the whole date".to_owned());
    }
    if parsed.hour().is_some() && read.hour() != EXAMPLE.hour() {
        return Err("does not tell morning and evening apart: add `%p`, or write `%H`".to_owned());
    }
    Ok(())
}

pub(super) fn read_time_zone(
    setting: &PipelineSetting<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<TimeZone> {
    const EXPECTED_TIME_ZONE: &str = "a name of the IANA time zone database, such as \"UTC\" or \"Asia/Seoul\", or a UTC \
                                      offset of at most 18 hours, such as \"+09:00\"";
    let name = setting.read_text(EXPECTED_TIME_ZONE, mistakes)?;
    if let Some(offset) = parse_utc_offset(name) {
        return Some(TimeZone::fixed(offset));
    }
    // The time zone is looked up in the time zone database in Windrow's binary, and not in that of the machine. So
    // every machine computes the same event times.
    let database = TimeZoneDatabase::bundled();
    match database.get(name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            let names: Vec<_> = database.available().map(|known| known.to_string()).collect();
            let abbreviated = ABBREVIATED_TIME_ZONES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
            let hint = match abbreviated {
                Some((_, zone)) => Some(format!("did you mean `{zone}`?")),
                None => build_closest_name_hint(name, names.iter().map(String::as_str)),
            };
            mistakes
                .report(
                    DiagnosticCode::UnknownTimeZone,
                    setting.location,
                    format!("there is no time zone `{name}`"),
                    EXPECTED_TIME_ZONE,
                )
                .set_hint(hint);
            None
        }
    }
}

/// Parses a UTC offset of at most 18 hours: `+09:00`.
fn parse_utc_offset(text: &str) -> Option<Offset> {
    let (sign, time) = match text.split_at_checked(1)? {
        ("+", time) => (1, time),
        ("-", time) => (-1, time),
        _ => return None,
    };
    let two_digits = |text: &str| text.parse::<i32>().ok().filter(|_| text.len() == 2 && !text.starts_with(['+', '-']));
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let seconds = hours * 3_600 + minutes * 60;
    if minutes > 59 || seconds > MAX_UTC_OFFSET_SECONDS {
        return None;
    }
    Offset::from_seconds(sign * seconds).ok()
}

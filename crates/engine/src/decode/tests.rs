use bumpalo::Bump;
use jiff::tz::TimeZone;

use super::*;
use windrow_core::{EpochUnit, EventField, EventSchema, EventTime, FieldType, TypeConversion, Value};

fn create_test_decoder() -> EventDecoder {
    create_decoder_with_types(TypeConversion::Lenient)
}

fn create_decoder_with_types(type_conversion: TypeConversion) -> EventDecoder {
    let field = |name: &str, field_type| EventField { name: name.into(), field_type };
    let schema = EventSchema::new(
        "user_id",
        [
            field("event_type", FieldType::String),
            field("price", FieldType::Double),
            field("quantity", FieldType::Long),
            field("member", FieldType::Boolean),
        ],
    );
    EventDecoder::new(DecodeRules { type_conversion, ..DecodeRules::new(schema, "event_time") })
}

/// Decodes `record` and returns the event as a text. If the record is not an event, returns the reason.
fn decode_to_text(record: &str) -> String {
    decode_to_text_with(&create_test_decoder(), record)
}

fn decode_to_text_with(decoder: &EventDecoder, record: &str) -> String {
    match decoder.decode(Some(record.as_bytes()), &Bump::new()) {
        Ok(event) => format!("{:?} at {} {:?}", event.entity_key, event.time, &event.field_values[1..]),
        Err(malformed) => malformed.to_string(),
    }
}

fn decode_event_time(spelling: &str) -> Result<i64, String> {
    decode_event_time_with(|_| {}, spelling)
}

/// Decodes an event time with the default rules after `change`.
fn decode_event_time_with(change: impl FnOnce(&mut DecodeRules), spelling: &str) -> Result<i64, String> {
    let record = format!(r#"{{"user_id":"u","event_time":{spelling}}}"#);
    let arena = Bump::new();
    let mut rules = DecodeRules::new(EventSchema::new("user_id", []), "event_time");
    change(&mut rules);
    EventDecoder::new(rules)
        .decode(Some(record.as_bytes()), &arena)
        .map(|event| event.time.ms())
        .map_err(|error| error.to_string())
}

#[test]
fn a_complete_event_is_decoded() {
    assert_eq!(
        decode_to_text(
            r#"{"event_time":"2024-01-01T10:00:00","event_type":"view","user_id":"111","price":29.99,"quantity":-3,"member":true}"#
        ),
        r#""111" at 1704103200000 [String("view"), Double(29.99), Long(-3), Boolean(true)]"#
    );
}

#[test]
fn missing_and_null_fields_are_null_and_undeclared_fields_are_ignored() {
    assert_eq!(
        decode_to_text(
            r#"{"x":{"price":[1,{"user_id":2}]},"user_id":"a","price":null,"event_time":0,"quantity":7,"y":"\ud83d\ude00"}"#
        ),
        r#""a" at 0 [Null, Null, Long(7), Null]"#
    );
}

#[test]
fn no_undeclared_member_makes_a_record_a_dead_letter() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for member in [
        r#""title":"cut \ud83d""#,
        r#""title":"\ude00 \ud83d\n""#,
        r#""\ud83d":1"#,
        r#""x":{"y":["\ud83d",{"\ude00":null}]}"#,
        r#""x":1e400"#,
        r#""x":[-1e400,{"y":1e-400}]"#,
        r#""x":99999999999999999999999999999999999999"#,
        r#""x":1,"x":2"#,
        r#""x":null,"":"""#,
        &format!(r#""x":{nested}"#),
    ] {
        for record in [
            format!(r#"{{"user_id":"a","event_time":0,"quantity":7,{member}}}"#),
            format!(r#"{{{member},"user_id":"a","event_time":0,"quantity":7}}"#),
        ] {
            let shown = &record[..record.len().min(200)];
            assert_eq!(decode_to_text(&record), r#""a" at 0 [Null, Null, Long(7), Null]"#, "{shown}");
        }
    }
    // With a key whose characters a second pass finds.
    assert_eq!(
        decode_to_text(r#"{"x":"\ud83d","user_id":1.50,"event_time":0,"y":1e400}"#),
        r#""1.50" at 0 [Null, Null, Null, Null]"#
    );
}

#[test]
fn undeclared_members_must_be_json_by_the_grammar() {
    for member in [
        r#""x":01"#,
        r#""x":1."#,
        r#""x":.5"#,
        r#""x":+1"#,
        r#""x":NaN"#,
        r#""x":1e"#,
        r#""x":"\x""#,
        r#""x":"\u12""#,
        r#""x":"\u12g4""#,
        r#""x":[1,]"#,
        r#""x":{"y":}"#,
        r#""x":[}"#,
        r#"x:1"#,
        r#""x""#,
        "\"x\":\"\u{1}\"",
        r#""x":truth"#,
    ] {
        let reason = decode_to_text(&format!(r#"{{"user_id":"a","event_time":0,{member}}}"#));
        assert!(reason.starts_with("malformed JSON: "), "{member}: {reason}");
    }
}

#[test]
fn a_lone_surrogate_in_a_declared_string_becomes_the_replacement_character() {
    for (spelling, text) in [
        (r#"cut \ud83d"#, "cut \u{fffd}"),
        (r#"\ud83d\ud83d\ude00!"#, "\u{fffd}\u{1f600}!"),
        (r#"\ude00\ufffd"#, "\u{fffd}\u{fffd}"),
        (r#"\\ud83d"#, r"\ud83d"),
    ] {
        let record = format!(r#"{{"user_id":"a","event_time":0,"event_type":"{spelling}"}}"#);
        let arena = Bump::new();
        let decoder = create_test_decoder();
        let event = decoder.decode(Some(record.as_bytes()), &arena).expect(spelling);
        assert_eq!(event.field_values[1], Value::String(text), "{spelling}");
    }
    let record = r#"{"user_id":"a \ufffd","event_time":0,"event_type":"\ud83d"}"#;
    assert!(decode_to_text(record).starts_with("\"a \u{fffd}\" at 0"), "a key with U+FFFD of its own is valid");
}

#[test]
fn a_lone_surrogate_in_the_entity_key_is_refused() {
    for record in
        [r#"{"user_id":"\ud83d","event_time":0}"#, r#"{"user_id":"\ud83d\ufffd","event_time":0,"x":"\ud83d"}"#]
    {
        let reason = decode_to_text(record);
        assert!(reason.starts_with("malformed JSON: "), "{record}: {reason}");
    }
}

#[test]
fn a_missing_member_in_another_spelling_is_named() {
    for (record, reason) in [
        (r#"{"User_Id":"a","event_time":0}"#, "`user_id` is missing, but there is `User_Id`"),
        (r#"{"userId":"a","event_time":0}"#, "`user_id` is missing, but there is `userId`"),
        (r#"{"user_id":null,"USER-ID":"a","event_time":0}"#, "`user_id` is missing, but there is `USER-ID`"),
        (r#"{"user_id":"a","eventTime":0,"EVENT_TIME":0}"#, "`event_time` is missing, but there is `eventTime`"),
    ] {
        let explained = format!("{reason}; names must be equal, also in upper and lower case");
        assert_eq!(decode_to_text(record), explained, "{record}");
    }
    for record in [r#"{"user":"a","event_time":0}"#, r#"{"x":{"User_Id":"a"},"user_id":null,"event_time":0}"#] {
        assert_eq!(decode_to_text(record), "`user_id` is missing", "{record}");
    }
}

#[test]
fn minus_zero_is_decoded_as_an_integer() {
    assert_eq!(
        decode_to_text(r#"{"user_id":"a","event_time":0,"quantity":-0}"#),
        r#""a" at 0 [Null, Null, Long(0), Null]"#
    );
}

#[test]
fn a_numeric_key_keeps_its_spelling() {
    for (spelling, text) in [
        ("111", "111"),
        ("-5", "-5"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ("12345678901234567890123", "12345678901234567890123"),
        (r#""a\"b\u0000\n""#, "a\"b\0\n"),
        (r#""""#, ""),
        (r#""한국 😀""#, "한국 😀"),
    ] {
        let record = format!(r#"{{"event_time":0,"user_id":{spelling}}}"#);
        let arena = Bump::new();
        let decoder = create_test_decoder();
        let event = decoder.decode(Some(record.as_bytes()), &arena).expect(spelling);
        assert_eq!(event.entity_key, text);
        assert_eq!(event.field_values[0], Value::String(text));
    }
}

#[test]
fn event_times_are_parsed_in_all_spellings() {
    for (spelling, ms) in [
        (r#""2024-01-01T10:00:00""#, 1_704_103_200_000),
        (r#""2024-01-01T10:00:00Z""#, 1_704_103_200_000),
        (r#""2024-01-01T19:00:00.074+09:00""#, 1_704_103_200_074),
        (r#""2024-01-01T10:00:00.999999999""#, 1_704_103_200_999),
        (r#""2024-01-01T10:00""#, 1_704_103_200_000),
        (r#""1969-12-31T23:59:59.9995Z""#, -1),
        (r#""1969-12-31T23:59:59.999Z""#, -1),
        (r#""1969-12-31T23:59:59.9999999Z""#, -1),
        ("1704103200000", 1_704_103_200_000),
        ("1704103200", 1_704_103_200), // Seconds are read as milliseconds, so this is January 1970.
        ("1.7041032e12", 1_704_103_200_000),
        ("1704103200000.9", 1_704_103_200_000),
        (r#""1704103200000""#, 1_704_103_200_000),
        (r#"" 1704103200000 ""#, 1_704_103_200_000),
        (r#""1704103200000.9""#, 1_704_103_200_000),
        (r#""1.7041032e12""#, 1_704_103_200_000),
        (r#""-1""#, -1),
        (r#""2024-01-01""#, 1_704_067_200_000),
        (r#""2024-01-01T10:00:00Z[UTC]""#, 1_704_103_200_000),
        (r#""2024-01-01T19:00:00+09:00[Asia/Seoul]""#, 1_704_103_200_000),
        (r#""2024-01-01T19:00:00.5+09:00[No/Such_Zone]""#, 1_704_103_200_500),
        (r#""2024-01-02T04:00:00+18:00""#, 1_704_103_200_000),
        (r#""2023-12-31T16:00:00-18:00""#, 1_704_103_200_000),
        ("[2026,8,20,5,45,4,783706186]", 1_787_204_704_783),
        ("[2026,8,20,5,45,4]", 1_787_204_704_000),
        ("[2026, 8, 20, 5, 45]", 1_787_204_700_000),
        ("[2026,8,20]", 1_787_184_000_000),
        ("-1", -1),
        ("-0.5", -1),
        ("0", 0),
        ("253402207200999", EventTime::LATEST.ms()),
        (r#""9999-12-30T22:00:00.999Z""#, EventTime::LATEST.ms()),
        ("-377705023201000", EventTime::EARLIEST.ms()),
        (r#""-009999-01-02T01:59:59Z""#, EventTime::EARLIEST.ms()),
    ] {
        assert_eq!(decode_event_time(spelling), Ok(ms), "{spelling}");
    }
}

#[test]
fn invalid_event_times_are_refused_with_the_field_name() {
    for spelling in [
        r#""NaN""#,
        r#""yesterday""#,
        r#""""#,
        r#""2024-13-01T00:00:00Z""#,
        r#""20240101""#,
        r#""1704103200000 ms""#,
        r#""1,704,103,200,000""#,
        r#""1704103200000000""#,
        r#""1e300""#,
        r#""1e400""#,
        r#""Infinity""#,
        r#""2024-01-01T10:00:00[Asia/Seoul]""#,
        r#""2024-01-01[UTC]""#,
        r#""2024-01-01T10:00:00+18:01""#,
        r#""2024-01-01T10:00:00-18:01""#,
        r#""2024-01-01T10:00:00+25:00""#,
        "[]",
        "[2026,8]",
        "[2026,8,20,5]",
        "[2026,13,20]",
        "[2026,2,29]",
        "[2026,8,20,24,0]",
        "[2026,8,20,5,45,4,1000000000]",
        "[2026,8,20,5,45,4,0,0]",
        "[2026,8.0,20]",
        r#"["2026",8,20]"#,
        "[2026,8,null]",
        "[[2026],8,20]",
        "1704103200000000", // Microseconds are read as milliseconds, which is out of range.
        "1704103200000000000",
        "1e300",
        "-1e300",
        "18446744073709551615",
        "253402207201000",
        r#""9999-12-31T23:59:59Z""#, // Some producers write this time for "never".
        "true",
        "[1]",
        "{}",
    ] {
        let error = decode_event_time(spelling).expect_err(spelling);
        assert!(error.starts_with("`event_time` "), "{spelling}: {error}");
    }
    for spelling in ["NaN", "Infinity", "1e999", "01", "0x10", "+1"] {
        let error = decode_event_time(spelling).expect_err(spelling);
        assert!(error.starts_with("malformed JSON: "), "{spelling}: {error}");
    }
    assert_eq!(decode_event_time("null"), Err("`event_time` is missing".to_owned()));
}

#[test]
fn numbers_are_read_in_the_unit_of_the_rules() {
    use EpochUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    for (unit, spelling, ms) in [
        (Seconds, "1704103200", 1_704_103_200_000),
        (Seconds, "1704103200.123", 1_704_103_200_123),
        (Seconds, "1704103200.0009", 1_704_103_200_000),
        (Seconds, "1.7041032e9", 1_704_103_200_000),
        (Seconds, "-0.0005", -1),
        (Seconds, r#""1704103200""#, 1_704_103_200_000),
        (Seconds, r#""2024-01-01T10:00:00Z""#, 1_704_103_200_000),
        (Milliseconds, "1704103200000", 1_704_103_200_000),
        (Microseconds, "1704103200000999", 1_704_103_200_000),
        (Microseconds, "1704103200000999.5", 1_704_103_200_000),
        (Microseconds, "-1", -1),
        (Nanoseconds, "1704103200000999999", 1_704_103_200_000),
        (Nanoseconds, "9300000000000000000", 9_300_000_000_000), // more than 2^63
        (Nanoseconds, "-1", -1),
    ] {
        let change = |rules: &mut DecodeRules| rules.time_number_unit = Some(unit);
        assert_eq!(decode_event_time_with(change, spelling), Ok(ms), "{spelling} in {}", unit.symbol());
    }
    for (unit, spelling, reason) in [
        (Seconds, "1704103200000", "(a number means seconds since 1970; set `unit = \"ms\"` for the event time if it"),
        (
            Milliseconds,
            "1704103200000000",
            "since 1970; set `unit = \"us\"` for the event time if it means microseconds)",
        ),
        (Milliseconds, "1704103200000000000", "set `unit = \"ns\"`"),
        (Microseconds, "9223372036854775807", "(a number means microseconds since 1970)"),
        (Seconds, "1e300", "(a number means seconds since 1970)"),
        (Seconds, "true", "must be a time as text or a number of seconds but is boolean"),
    ] {
        let change = |rules: &mut DecodeRules| rules.time_number_unit = Some(unit);
        let error = decode_event_time_with(change, spelling).expect_err(spelling);
        assert!(error.contains(reason), "{spelling}: {error}");
    }
}

#[test]
fn texts_are_read_in_the_format_of_the_rules() {
    let decode = |format: &str, unit: Option<EpochUnit>, spelling: &str| {
        let change = |rules: &mut DecodeRules| {
            rules.time_text_format = Some(format.into());
            rules.time_number_unit = unit;
            rules.time_zone = TimeZone::get("Asia/Seoul").expect("the time zone database is compiled in");
        };
        decode_event_time_with(change, spelling)
    };
    for (format, spelling, ms) in [
        ("%d/%m/%Y %H:%M:%S", r#""01/01/2024 19:00:00""#, 1_704_103_200_000),
        ("%d/%m/%Y %H:%M:%S%.f", r#""01/01/2024 19:00:00.0749""#, 1_704_103_200_074),
        ("%d/%m/%Y %I:%M %p", r#""01/01/2024 07:00 PM""#, 1_704_103_200_000),
        ("%d/%b/%Y:%H:%M:%S %z", r#""01/Jan/2024:10:00:00 +0000""#, 1_704_103_200_000),
        ("%Y%m%d", r#""20240102""#, 1_704_121_200_000),
        ("%Y%m%d", "20240102", 1_704_121_200_000),
        ("%Y%m%d%H%M%S", "20240101190000", 1_704_103_200_000),
        ("%s", r#""1704103200""#, 1_704_103_200_000),
    ] {
        assert_eq!(decode(format, None, spelling), Ok(ms), "{spelling} in {format}");
    }
    assert_eq!(decode("%d/%m/%Y", Some(EpochUnit::Seconds), "1704103200"), Ok(1_704_103_200_000));
    for (format, spelling) in [
        ("%d/%m/%Y", r#""2024-01-01""#),
        ("%d/%m/%Y", r#""32/01/2024""#),
        ("%d/%m/%Y", r#""30/02/2024""#),
        ("%d/%m/%Y", r#""01/01/2024 10:00""#),
        ("%Y%m%d", "20240132"),
        ("%Y%m%d", "2.0240101e7"),
        ("%F %T %z", r#""2024-01-01 10:00:00 +2300""#),
    ] {
        let error = decode(format, None, spelling).expect_err(spelling);
        assert!(error.starts_with("`event_time` is not an event time: "), "{spelling}: {error}");
    }
}

/// Each row of the table of event times has a value, its settings, and the event time or "dead letter".
#[test]
fn event_times_are_read_as_the_table_in_the_documentation_says() {
    let page = include_str!("../../../../docs/pipeline.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| in the record | settings |")).skip(2);
    let rows: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [spelling, settings, expected] = <[&str; 3]>::try_from(cells).expect("three columns");
        let change = |rules: &mut DecodeRules| match settings.split_once(" = ") {
            None => {}
            Some(("unit", symbol)) => {
                let symbol = symbol.trim_matches('"');
                rules.time_number_unit = EpochUnit::ALL.into_iter().find(|unit| unit.symbol() == symbol);
            }
            Some((_, format)) => {
                rules.time_number_unit = None;
                rules.time_text_format = Some(format.trim_matches('"').into());
            }
        };
        let read = decode_event_time_with(change, spelling);
        let time = expected.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond());
        assert!(time.is_some() || expected == "dead letter", "{row}");
        assert_eq!(read.ok(), time, "{row}");
    }
}

#[test]
fn a_local_time_is_read_in_the_pipelines_zone() {
    let schema = EventSchema::new("user_id", []);
    let zone = TimeZone::get("Europe/Berlin").expect("the time zone database is compiled in");
    let decoder = EventDecoder::new(DecodeRules { time_zone: zone, ..DecodeRules::new(schema, "event_time") });
    let ms = |text: &str| {
        let record = format!(r#"{{"user_id":"u","event_time":"{text}"}}"#);
        let arena = Bump::new();
        decoder.decode(Some(record.as_bytes()), &arena).map(|event| event.time.ms()).expect(text)
    };
    assert_eq!(ms("2024-07-01T12:00:00"), ms("2024-07-01T10:00:00Z"));
    assert_eq!(ms("2024-01-01T12:00:00"), ms("2024-01-01T11:00:00Z"));
    // When daylight saving time begins, the local time 02:30 does not exist. When daylight saving time ends, 02:30
    // occurs twice.
    assert_eq!(ms("2024-03-31T02:30:00"), ms("2024-03-31T01:30:00Z"));
    assert_eq!(ms("2024-10-27T02:30:00"), ms("2024-10-27T00:30:00Z"));
    assert_eq!(ms("2024-07-01"), ms("2024-06-30T22:00:00Z"));
}

#[test]
fn malformed_records_give_a_reason() {
    for (record, reason) in [
        ("", "the record is empty"),
        (" \n", "the record is empty"),
        ("hello", "malformed JSON: expected value at line 1 column 1"),
        ("[]", "the record is a JSON array; a record must be one JSON object"),
        (" [{\"user_id\":\"u\",\"event_time\":0}]", "the record is a JSON array; a record must be one JSON object"),
        ("null", "malformed JSON: invalid type: null, expected a JSON object at line 1 column 4"),
        (r#"{"user_id":"u","event_time":0"#, "malformed JSON: EOF while parsing an object at line 1 column 29"),
        (r#"{"user_id":"u","event_time":0} {}"#, "malformed JSON: trailing characters at line 1 column 32"),
        (r#"{"event_time":0}"#, "`user_id` is missing"),
        (r#"{"user_id":null,"event_time":0}"#, "`user_id` is missing"),
        (r#"{"user_id":"u"}"#, "`event_time` is missing"),
        (r#"{"user_id":true,"event_time":0}"#, "`user_id` must be a string or a number but is boolean `true`"),
        (r#"{"user_id":["u"],"event_time":0}"#, "`user_id` must be a string or a number but is an array"),
        (r#"{"user_id":"u","event_time":0,"price":"9 EUR"}"#, "`price` must be a number but is string \"9 EUR\""),
        (r#"{"user_id":"u","event_time":0,"price":{}}"#, "`price` must be a number but is an object"),
        (
            r#"{"user_id":"u","event_time":0,"quantity":1.5}"#,
            "`quantity` must be an integer between -2^63 and 2^63-1 but is floating point `1.5`",
        ),
        (
            r#"{"user_id":"u","event_time":0,"quantity":9223372036854775808}"#,
            "`quantity` must be an integer between -2^63 and 2^63-1 but is integer `9223372036854775808`",
        ),
        (r#"{"user_id":"u","event_time":0,"member":1}"#, "`member` must be true or false but is integer `1`"),
        (r#"{"user_id":"u","event_time":0,"user_id":"u"}"#, "`user_id` occurs twice"),
        (r#"{"user_id":"u","event_time":0,"\u0065vent_time":0}"#, "`event_time` occurs twice"),
        (r#"{"user_id":"u","event_time":0,"price":1,"price":null}"#, "`price` occurs twice"),
        (r#"{"user_id":"u","event_time":0,"price":1e999}"#, "malformed JSON: number out of range at line 1 column 43"),
        (r#"{"user_id":"\ud800","event_time":0}"#, "malformed JSON: unexpected end of hex escape at line 1 column 19"),
    ] {
        assert_eq!(decode_to_text(record), reason, "{record}");
    }
}

#[test]
fn strict_types_refuse_values_of_another_type() {
    let decoder = create_decoder_with_types(TypeConversion::Strict);
    for (member, reason) in [
        (r#""price":"9""#, "`price` must be a number but is string \"9\""),
        (r#""event_type":5"#, "`event_type` must be a string but is integer `5`"),
        (r#""event_type":5.5"#, "`event_type` must be a string but is floating point `5.5`"),
        (r#""event_type":{}"#, "`event_type` must be a string but is an object"),
        (r#""event_type":[]"#, "`event_type` must be a string but is an array"),
        (r#""event_type":true"#, "`event_type` must be a string but is boolean `true`"),
        (r#""quantity":1.0"#, "`quantity` must be an integer between -2^63 and 2^63-1 but is floating point `1.0`"),
        (r#""quantity":"1""#, "`quantity` must be an integer between -2^63 and 2^63-1 but is string \"1\""),
        (r#""member":"true""#, "`member` must be true or false but is string \"true\""),
    ] {
        let record = format!(r#"{{"user_id":"u","event_time":0,{member}}}"#);
        assert_eq!(decode_to_text_with(&decoder, &record), reason, "{record}");
    }
    let quoted_time = r#"{"user_id":"u","event_time":"1704103200000"}"#;
    let reason = decode_to_text_with(&decoder, quoted_time);
    assert!(reason.contains("is neither RFC 3339"), "{reason}");
    let numeric_key = r#"{"user_id":1.50,"event_time":0}"#;
    assert!(decode_to_text_with(&decoder, numeric_key).starts_with("\"1.50\" at 0"));
}

/// Returns the rows of the table of types in `docs/pipeline.md`: a JSON value, and a cell for each declared type.
fn documented_conversions() -> Vec<[&'static str; 5]> {
    let page = include_str!("../../../../docs/pipeline.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| in the record | `")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().expect("five columns")
    });
    rows.collect()
}

/// A cell in bold also holds with strict types. "dead letter" in a cell means that the record is not an event.
#[test]
fn values_are_converted_as_the_table_in_the_documentation_says() {
    let rows = documented_conversions();
    assert!(rows.len() > 10, "{rows:?}");
    for [json, cells @ ..] in rows {
        let json = json.trim_matches('`');
        for (index, (name, cell)) in ["event_type", "price", "quantity", "member"].into_iter().zip(cells).enumerate() {
            let record = format!(r#"{{"user_id":"u","event_time":0,"{name}":{json}}}"#);
            for conversion in [TypeConversion::Lenient, TypeConversion::Strict] {
                let arena = Bump::new();
                let decoder = create_decoder_with_types(conversion);
                let decoded = decoder.decode(Some(record.as_bytes()), &arena);
                let shown = decoded.map_or_else(
                    |_| "dead letter".to_owned(),
                    |event| match event.field_values[index + 1] {
                        Value::Null => "NULL".to_owned(),
                        Value::String(text) => serde_json::to_string(text).expect("a text"),
                        Value::Double(number) => format!("{number:?}"),
                        Value::Long(number) => number.to_string(),
                        Value::Boolean(truth) => truth.to_string(),
                    },
                );
                let in_bold = cell.strip_prefix("**").and_then(|rest| rest.strip_suffix("**"));
                let expected = match (in_bold, conversion) {
                    (None, TypeConversion::Strict) => "dead letter",
                    (in_bold, _) => in_bold.unwrap_or(cell).trim_matches('`'),
                };
                assert_eq!(shown, expected, "{json} for {name}, {conversion:?}");
            }
        }
    }
}

#[test]
fn converted_texts_keep_their_characters_beside_each_other() {
    assert_eq!(
        decode_to_text(
            r#"{"event_type" : [1, "a \" b", {"x" : 1.50}] ,"user_id": 1.50,"event_time":"7","price":" 2 "}"#
        ),
        r#""1.50" at 7 [String("[1,\"a \\\" b\",{\"x\":1.50}]"), Double(2.0), Null, Null]"#
    );
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        decode_to_text(&format!(r#"{{"event_type":{nested},"user_id":"a","event_time":0}}"#)).starts_with("\"a\" at 0")
    );
}

/// The reason must be short, because Windrow logs the reason and writes it into a header of the dead letter.
#[test]
fn reasons_stay_short_for_long_values() {
    let long = "A".repeat(600_000);
    for record in [
        format!(r#"{{"user_id":"u","event_time":0,"price":"{long}"}}"#),
        format!(r#"{{"user_id":"u","event_time":"{long}"}}"#),
        format!(r#""{long}""#),
    ] {
        let reason = decode_to_text(&record);
        assert!(reason.len() < 400, "{} bytes", reason.len());
    }
}

#[test]
fn one_byte_order_mark_in_front_of_a_record_is_skipped() {
    let event = decode_to_text(r#"{"user_id":"a","event_time":0}"#);
    for (record, result) in [
        ("\u{feff}{\"user_id\":\"a\",\"event_time\":0}", event.as_str()),
        ("\u{feff} {\"user_id\":\"a\",\"event_time\":0}", &event),
        ("\u{feff}", "the record is empty"),
        ("\u{feff}\u{feff}{}", "malformed JSON: expected value at line 1 column 1"),
        (" \u{feff}{}", "malformed JSON: expected value at line 1 column 2"),
    ] {
        assert_eq!(decode_to_text(record), result, "{record}");
    }
}

#[test]
fn records_that_are_not_text_are_refused() {
    let decode = |payload: Option<&[u8]>| {
        create_test_decoder().decode(payload, &Bump::new()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(decode(None), Err("the record has no value (null)".to_owned()));
    assert_eq!(
        decode(Some(b"{\"user_id\":\"\xff\"}")),
        Err("the record is not UTF-8: the byte at position 12 is invalid".to_owned())
    );
    assert_eq!(
        decode(Some(&vec![b' '; MAX_RECORD_BYTES + 1])),
        Err("the record is 1048577 bytes long, but the limit is 1048576 bytes".to_owned())
    );
}

#[test]
fn keys_over_the_limit_are_refused() {
    let record = |key: &str| format!(r#"{{"user_id":{key},"event_time":0}}"#);
    let text = |bytes: usize| record(&format!("\"{}\"", "k".repeat(bytes)));
    assert!(decode_to_text(&text(1024)).starts_with("\"kkk"));
    assert_eq!(decode_to_text(&text(1025)), "`user_id` is 1025 bytes long; `max_key_bytes` allows 1024");
    assert_eq!(decode_to_text(&text(1_000_000)), "`user_id` is 1000000 bytes long; `max_key_bytes` allows 1024");
    assert_eq!(
        decode_to_text(&record(&format!("0.{}", "1".repeat(2000)))),
        "`user_id` is 2002 bytes long; `max_key_bytes` allows 1024"
    );
}

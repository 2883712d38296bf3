//! Any bytes as a record.
//!
//! Laws: the decoder never panics. A decoded event is consistent with its schema. The decoder agrees with the slow decoder
//! on which records are events, and on every value. Decoding twice gives the same result. The time zone moves only times
//! without an offset. Memory stays a small multiple of the record.

#![no_main]

mod calendar;
mod slow_decoder;

use std::sync::LazyLock;

use bumpalo::Bump;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use windrow_core::{Event, EventField, EventSchema, EventTime, FieldType, Value};
use windrow_engine::{DecodeError, DecodeRules, EventDecoder};

use slow_decoder::{DecodeFault, ExpectedResult};

/// Low, so that short inputs exceed it.
const MAX_KEY_BYTES: usize = 24;
const TIME_FIELD: &str = "event_time";
/// The largest distance between two time zones.
const A_DAY_AND_A_BIT_MS: u64 = 26 * 60 * 60 * 1_000;

static SCHEMA: LazyLock<EventSchema> = LazyLock::new(|| {
    let field = |name: &str, field_type| EventField { name: name.into(), field_type };
    EventSchema::new(
        "user_id",
        [
            field("event_type", FieldType::String),
            field("price", FieldType::Double),
            field("quantity", FieldType::Long),
            field("member", FieldType::Boolean),
        ],
    )
});
static UTC: LazyLock<EventDecoder> = LazyLock::new(|| decoder(TimeZone::UTC));
static BERLIN: LazyLock<EventDecoder> =
    LazyLock::new(|| decoder(TimeZone::get("Europe/Berlin").expect("the time zone database is compiled in")));

fn decoder(zone: TimeZone) -> EventDecoder {
    EventDecoder::new(DecodeRules {
        time_zone: zone,
        max_key_bytes: MAX_KEY_BYTES,
        ..DecodeRules::new(SCHEMA.clone(), TIME_FIELD)
    })
}

fuzz_target!(|record: &[u8]| {
    let arena = Bump::new();
    let decoded = UTC.decode(Some(record), &arena);
    let allowed = 16 * record.len() + 4_096;
    assert!(arena.allocated_bytes() <= allowed, "{} bytes of memory", arena.allocated_bytes());
    match &decoded {
        Ok(event) => assert_consistent(event),
        Err(malformed) => assert!(!malformed.to_string().is_empty()),
    }
    assert_agrees(&decoded, record);

    let again = Bump::new();
    assert_eq!(decoded, UTC.decode(Some(record), &again), "decoding twice");

    let elsewhere = Bump::new();
    if let (Ok(here), Ok(there)) = (&decoded, BERLIN.decode(Some(record), &elsewhere)) {
        assert_eq!((here.entity_key, here.field_values), (there.entity_key, there.field_values));
        assert!(here.time.ms().abs_diff(there.time.ms()) <= A_DAY_AND_A_BIT_MS);
    }
});

/// Checks the guarantees of every decoded event.
fn assert_consistent(event: &Event<'_>) {
    assert!((EventTime::EARLIEST..=EventTime::LATEST).contains(&event.time), "{}", event.time);
    assert!(event.entity_key.len() <= MAX_KEY_BYTES);
    assert_eq!(event.field_values.len(), SCHEMA.fields().len());
    assert_eq!(event.field_values[0], Value::String(event.entity_key));
    for (field, value) in SCHEMA.fields().iter().zip(event.field_values) {
        let fits = match value {
            Value::Null => true,
            Value::String(_) => field.field_type == FieldType::String,
            Value::Double(number) => field.field_type == FieldType::Double && number.is_finite(),
            Value::Long(_) => field.field_type == FieldType::Long,
            Value::Boolean(_) => field.field_type == FieldType::Boolean,
        };
        assert!(fits, "{field:?} holds {value:?}");
    }
}

/// Compares the decoder's result with the slow decoder's.
fn assert_agrees(decoded: &Result<Event<'_>, DecodeError>, record: &[u8]) {
    let judgement = slow_decoder::decode_slowly(record, &SCHEMA, TIME_FIELD, MAX_KEY_BYTES);
    match (judgement, decoded) {
        (ExpectedResult::Unjudged, _) => {}
        (ExpectedResult::Event(expected), Ok(event)) => {
            assert_eq!(event.entity_key, expected.key);
            let fields: Vec<Value<'_>> = expected.fields.iter().map(slow_decoder::OwnedValue::as_value).collect();
            assert_eq!(event.field_values, fields);
            if let Some(ms) = expected.time_ms {
                assert_eq!(event.time.ms(), ms);
            }
        }
        // The slow decoder does not read every format of a time.
        (ExpectedResult::Event(expected), Err(DecodeError::InvalidEventTime { .. })) if expected.time_ms.is_none() => {}
        (ExpectedResult::Event(expected), Err(malformed)) => panic!("refused: {malformed}; expected {expected:?}"),
        (ExpectedResult::Faults(faults), Ok(event)) => panic!("accepted: {event:?}; expected {faults:?}"),
        // Which of several faults is reported depends on their order; it must be one of those that exist. Duplicate members
        // are not judged, because only the first is read here. Neither are faults in front of a fault in the JSON itself.
        (ExpectedResult::Faults(faults), Err(malformed)) => {
            let reported = to_fault(malformed);
            let any = |fault: &DecodeFault| matches!(fault, DecodeFault::NotJson | DecodeFault::Duplicate(_));
            let there = faults.contains(&reported) || faults.iter().any(any);
            assert!(there, "reported {malformed} ({reported:?}); there are {faults:?}");
        }
    }
}

fn to_fault(malformed: &DecodeError) -> DecodeFault {
    match malformed {
        DecodeError::NullPayload
        | DecodeError::EmptyPayload
        | DecodeError::TooLarge(_)
        | DecodeError::NotUtf8(_)
        | DecodeError::JsonArray
        | DecodeError::InvalidJson(_) => DecodeFault::NotJson,
        DecodeError::MissingField(field) | DecodeError::MisspeltField { field, .. } => {
            DecodeFault::Missing(field.to_string())
        }
        DecodeError::DuplicateField(field) => DecodeFault::Duplicate(field.to_string()),
        DecodeError::WrongType { field, .. } => DecodeFault::WrongType(field.to_string()),
        DecodeError::InvalidEventTime { .. } => DecodeFault::BadTime,
        DecodeError::KeyTooLong { .. } => DecodeFault::KeyTooLong,
    }
}

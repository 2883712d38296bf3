//! Writes malformed payloads such as faulty producers send. A pipeline stores each malformed payload as a dead letter.

use std::io::Write;

use crate::payload::PayloadParts;
use crate::random::RandomStream;

/// Texts that are not an event time.
const INVALID_TIMES: [&str; 5] =
    ["2024-13-45T99:00:00", "yesterday", "01/02/2024 10:00", "2024-01-01T10:00:0O", "0000-00-00T00:00:00"];
/// Texts that are not a price. The last text, `NaN`, is not even JSON.
const INVALID_PRICES: [&str; 6] = [r#""free""#, r#""29.99""#, "true", "[29.99]", r#"{"amount":29.99}"#, "NaN"];
/// Payloads that occur in real topics but are not events.
const NON_EVENT_PAYLOADS: [&str; 7] = [
    "not json at all",
    "<event type=\"view\"/>",
    "event_time,event_type,user_id,price",
    "HTTP/1.1 502 Bad Gateway",
    "null",
    "[]",
    "\u{0}\u{0}\u{0}\u{0}\u{1}",
];

/// The flaw that makes a payload malformed.
#[derive(Debug, Clone, Copy)]
enum PayloadFlaw {
    Empty,
    Truncated,
    TrailingBrace,
    BadUtf8,
    NonEvent,
    InvalidTime,
    MissingTime,
    InvalidPrice,
    MissingUser,
    NullUser,
    DuplicateUser,
    DuplicatePrice,
}

const ALL_PAYLOAD_FLAWS: [PayloadFlaw; 12] = [
    PayloadFlaw::Empty,
    PayloadFlaw::Truncated,
    PayloadFlaw::TrailingBrace,
    PayloadFlaw::BadUtf8,
    PayloadFlaw::NonEvent,
    PayloadFlaw::InvalidTime,
    PayloadFlaw::MissingTime,
    PayloadFlaw::InvalidPrice,
    PayloadFlaw::MissingUser,
    PayloadFlaw::NullUser,
    PayloadFlaw::DuplicateUser,
    PayloadFlaw::DuplicatePrice,
];

/// Writes a malformed payload for `event` into the buffer `payload`, which must be empty. The kind of flaw is drawn at
/// random. The payload has no newline.
pub(crate) fn write_malformed_payload(event: &PayloadParts, random: &mut RandomStream, payload: &mut Vec<u8>) {
    let (time, event_type) = (utf8_or_empty(&event.time_text), event.event_type);
    let (user_id, price) = (utf8_or_empty(&event.user_id), utf8_or_empty(&event.price_text));
    // Writing to memory cannot fail.
    let _ = match random.pick_one(&ALL_PAYLOAD_FLAWS) {
        PayloadFlaw::Empty => Ok(()),
        PayloadFlaw::Truncated => {
            event.append_json(payload);
            payload.truncate(1 + random.draw_index(payload.len() - 1));
            Ok(())
        }
        PayloadFlaw::TrailingBrace => {
            event.append_json(payload);
            payload.push(b'}');
            Ok(())
        }
        PayloadFlaw::BadUtf8 => {
            event.append_json(payload);
            // In the JSON, the event time and 31 other bytes precede the event type. The first byte of the event type
            // becomes 0xff, which no UTF-8 text contains.
            payload[event.time_text.len() + 31] = 0xff;
            Ok(())
        }
        PayloadFlaw::NonEvent => write!(payload, "{}", random.pick_one(&NON_EVENT_PAYLOADS)),
        PayloadFlaw::InvalidTime => {
            let time = random.pick_one(&INVALID_TIMES);
            write!(
                payload,
                r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#
            )
        }
        PayloadFlaw::MissingTime => {
            write!(payload, r#"{{"event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#)
        }
        PayloadFlaw::InvalidPrice => {
            let price = random.pick_one(&INVALID_PRICES);
            write!(
                payload,
                r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#
            )
        }
        PayloadFlaw::MissingUser => {
            write!(payload, r#"{{"event_time":"{time}","event_type":"{event_type}","price":{price}}}"#)
        }
        PayloadFlaw::NullUser => {
            write!(payload, r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":null,"price":{price}}}"#)
        }
        PayloadFlaw::DuplicateUser => write!(
            payload,
            r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","user_id":"u0","price":{price}}}"#
        ),
        PayloadFlaw::DuplicatePrice => write!(
            payload,
            r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price},"price":0.01}}"#
        ),
    };
}

fn utf8_or_empty(piece: &[u8]) -> &str {
    std::str::from_utf8(piece).unwrap_or_default()
}

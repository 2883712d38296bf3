//! Malformed events, as real producers send them. Each one is a dead letter for the pipeline.

use std::io::Write;

use crate::payload::PayloadParts;
use crate::random::RandomStream;

/// Values that are not a time.
const INVALID_TIMES: [&str; 5] =
    ["2024-13-45T99:00:00", "yesterday", "01/02/2024 10:00", "2024-01-01T10:00:0O", "0000-00-00T00:00:00"];
/// Values that are not a price; the last is not JSON.
const INVALID_PRICES: [&str; 6] = [r#""free""#, r#""29.99""#, "true", "[29.99]", r#"{"amount":29.99}"#, "NaN"];
/// Payloads in a topic that are not events.
const FOREIGN_PAYLOADS: [&str; 7] = [
    "not json at all",
    "<event type=\"view\"/>",
    "event_time,event_type,user_id,price",
    "HTTP/1.1 502 Bad Gateway",
    "null",
    "[]",
    "\u{0}\u{0}\u{0}\u{0}\u{1}",
];

#[derive(Debug, Clone, Copy)]
enum PayloadFlaw {
    Empty,
    Truncated,
    TrailingBrace,
    BadUtf8,
    ForeignPayload,
    InvalidTime,
    MissingTime,
    InvalidPrice,
    MissingUser,
    NullUser,
    DuplicateUser,
    DuplicatePrice,
}

const FLAWS: [PayloadFlaw; 12] = [
    PayloadFlaw::Empty,
    PayloadFlaw::Truncated,
    PayloadFlaw::TrailingBrace,
    PayloadFlaw::BadUtf8,
    PayloadFlaw::ForeignPayload,
    PayloadFlaw::InvalidTime,
    PayloadFlaw::MissingTime,
    PayloadFlaw::InvalidPrice,
    PayloadFlaw::MissingUser,
    PayloadFlaw::NullUser,
    PayloadFlaw::DuplicateUser,
    PayloadFlaw::DuplicatePrice,
];

/// Writes the event with one flaw into the empty payload. The result has no newline.
pub(crate) fn write_malformed(event: &PayloadParts, random: &mut RandomStream, payload: &mut Vec<u8>) {
    let (time, event_type) = (as_text(&event.time), event.event_type);
    let (user_id, price) = (as_text(&event.user_id), as_text(&event.price));
    // Writing to memory cannot fail.
    let _ = match random.pick(&FLAWS) {
        PayloadFlaw::Empty => Ok(()),
        PayloadFlaw::Truncated => {
            event.write(payload);
            payload.truncate(1 + random.draw_index(payload.len() - 1));
            Ok(())
        }
        PayloadFlaw::TrailingBrace => {
            event.write(payload);
            payload.push(b'}');
            Ok(())
        }
        PayloadFlaw::BadUtf8 => {
            event.write(payload);
            // The event type begins after the time; 0xff is in no UTF-8 text.
            payload[event.time.len() + 31] = 0xff;
            Ok(())
        }
        PayloadFlaw::ForeignPayload => write!(payload, "{}", random.pick(&FOREIGN_PAYLOADS)),
        PayloadFlaw::InvalidTime => {
            let time = random.pick(&INVALID_TIMES);
            write!(
                payload,
                r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#
            )
        }
        PayloadFlaw::MissingTime => {
            write!(payload, r#"{{"event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#)
        }
        PayloadFlaw::InvalidPrice => {
            let price = random.pick(&INVALID_PRICES);
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

fn as_text(piece: &[u8]) -> &str {
    std::str::from_utf8(piece).unwrap_or_default()
}

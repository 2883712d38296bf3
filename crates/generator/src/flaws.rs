//! Malformed events: what real producers get wrong, each of them a dead letter for the pipeline.

use std::io::Write;

use crate::dice::Dice;
use crate::payload::Pieces;

/// Times that are none.
const NO_TIMES: [&str; 5] =
    ["2024-13-45T99:00:00", "yesterday", "01/02/2024 10:00", "2024-01-01T10:00:0O", "0000-00-00T00:00:00"];
/// Prices of a wrong type; the last is not even JSON.
const NO_PRICES: [&str; 6] = [r#""free""#, r#""29.99""#, "true", "[29.99]", r#"{"amount":29.99}"#, "NaN"];
/// What ends up in a topic beside events.
const NO_EVENTS: [&str; 7] = [
    "not json at all",
    "<event type=\"view\"/>",
    "event_time,event_type,user_id,price",
    "HTTP/1.1 502 Bad Gateway",
    "null",
    "[]",
    "\u{0}\u{0}\u{0}\u{0}\u{1}",
];

#[derive(Debug, Clone, Copy)]
enum Flaw {
    Empty,
    Truncated,
    TrailingBrace,
    BadUtf8,
    NoEvent,
    NoTime,
    WithoutTime,
    NoPrice,
    WithoutUser,
    NullUser,
    TwoUsers,
    TwoPrices,
}

const FLAWS: [Flaw; 12] = [
    Flaw::Empty,
    Flaw::Truncated,
    Flaw::TrailingBrace,
    Flaw::BadUtf8,
    Flaw::NoEvent,
    Flaw::NoTime,
    Flaw::WithoutTime,
    Flaw::NoPrice,
    Flaw::WithoutUser,
    Flaw::NullUser,
    Flaw::TwoUsers,
    Flaw::TwoPrices,
];

/// Writes the event with one flaw into the empty payload. It has no newline.
pub(crate) fn write_malformed(event: &Pieces, dice: &mut Dice, payload: &mut Vec<u8>) {
    let (time, event_type) = (text(&event.time), event.event_type);
    let (user_id, price) = (text(&event.user_id), text(&event.price));
    // Writing to memory cannot fail.
    let _ = match dice.pick(&FLAWS) {
        Flaw::Empty => Ok(()),
        Flaw::Truncated => {
            event.write(payload);
            payload.truncate(1 + dice.index(payload.len() - 1));
            Ok(())
        }
        Flaw::TrailingBrace => {
            event.write(payload);
            payload.push(b'}');
            Ok(())
        }
        Flaw::BadUtf8 => {
            event.write(payload);
            // The event type begins after the time; 0xff is in no UTF-8 text.
            payload[event.time.len() + 31] = 0xff;
            Ok(())
        }
        Flaw::NoEvent => write!(payload, "{}", dice.pick(&NO_EVENTS)),
        Flaw::NoTime => {
            let time = dice.pick(&NO_TIMES);
            write!(
                payload,
                r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#
            )
        }
        Flaw::WithoutTime => {
            write!(payload, r#"{{"event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#)
        }
        Flaw::NoPrice => {
            let price = dice.pick(&NO_PRICES);
            write!(
                payload,
                r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price}}}"#
            )
        }
        Flaw::WithoutUser => {
            write!(payload, r#"{{"event_time":"{time}","event_type":"{event_type}","price":{price}}}"#)
        }
        Flaw::NullUser => {
            write!(payload, r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":null,"price":{price}}}"#)
        }
        Flaw::TwoUsers => write!(
            payload,
            r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","user_id":"u0","price":{price}}}"#
        ),
        Flaw::TwoPrices => write!(
            payload,
            r#"{{"event_time":"{time}","event_type":"{event_type}","user_id":"{user_id}","price":{price},"price":0.01}}"#
        ),
    };
}

fn text(piece: &[u8]) -> &str {
    std::str::from_utf8(piece).unwrap_or_default()
}

//! JSON events.
//!
//! One pass over the text with `serde_json`: declared members are read with their declared type, all others are walked over
//! without being kept.
//! Why not a faster parser: see `docs/adr/0002-json-parser.md`.

#[macro_use]
mod refuse;

mod context;
mod event;
mod event_time;
mod field;
mod key;
mod skip;

pub(super) use event::decode_json_event;

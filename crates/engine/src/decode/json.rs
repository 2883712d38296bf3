//! Decodes JSON events.
//!
//! The decoder passes over the text once with `serde_json`. Declared members are read with their declared type.
//! Undeclared members are skipped.
//! `docs/adr/0002-json-parser.md` explains why no faster parser is used.

#[macro_use]
mod refuse;

mod context;
mod event;
mod event_time;
mod field;
mod key;
mod skip;

pub(super) use event::decode_json_event;

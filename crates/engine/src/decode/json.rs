//! Decodes events from JSON text.
//!
//! The decoder passes over the text once with `serde_json`. It reads members of the schema with their declared type,
//! and skips all others. An entity key that is a number with a fraction or an exponent needs a second pass.
//! `docs/adr/0002-json-parser.md` explains why no faster parser is used.

#[macro_use]
mod reject_other_types;

mod decode_context;
mod entity_key;
mod event;
mod event_time;
mod field_value;
mod ignored_value;

pub(super) use event::decode_json_event;

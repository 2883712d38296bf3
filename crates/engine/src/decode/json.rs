//! Decodes events from JSON text.
//!
//! The decoder reads the text once with `serde_json`. A member that the schema declares is read with the declared type.
//! All other members are skipped; only their grammar is checked. If a number that `serde_json` reads as a float, such as
//! `1.50`, becomes a text, the decoder reads the record a second time to find its characters.
//! `docs/adr/0002-json-parser.md` explains why no faster parser is used.

mod decode_context;
mod entity_key;
mod event;
mod event_time;
mod field_value;
mod lone_surrogates;
mod member_name;
mod similar_member;
mod source_text;

pub(super) use event::decode_json_event;
pub(super) use similar_member::explain_missing_field;

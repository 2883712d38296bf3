//! Decodes events from JSON text.
//!
//! The decoder reads the text once with `serde_json`. A member that the schema declares is read with the declared type.
//! All other members are skipped; only their grammar is checked. If `serde_json` reads the entity key as a float, such as `1.50`, the decoder reads
//! the text a second time to find the key's characters. `docs/adr/0002-json-parser.md` explains why no faster parser is
//! used.

#[macro_use]
mod reject_other_types;

mod decode_context;
mod entity_key;
mod event;
mod event_time;
mod field_value;
mod lone_surrogates;

pub(super) use event::decode_json_event;

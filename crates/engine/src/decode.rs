//! Decodes the payload of a record. The result is an event, or the reason why the record is not an event.
//!
//! Owns: the rules that decide which records are events. Does not own: dead letters (the worker writes a record that is
//! not an event as a dead letter).
//! Invariants: (1) No record causes a panic or a recursion that grows with the record. The memory that decoding a record
//! needs is at most a small multiple of the record's size. (2) The result depends only on the bytes of the record and on
//! the pipeline file. (3) A member that the schema does not declare never decides the result if the record is JSON.

mod error;
mod event_decoder;
mod event_time_text;
mod json;
mod limits;
mod rules;
mod time_plausibility;

pub use error::DecodeError;
pub use event_decoder::EventDecoder;
pub use limits::MAX_RECORD_BYTES;
pub use rules::DecodeRules;

#[cfg(test)]
mod tests;

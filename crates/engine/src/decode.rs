//! Decoding turns the bytes of a record into an event, or into the reason why the record is not an event.
//!
//! Owns: the definition of a well-formed event in every format. Does not own: what happens to a record that is not an
//! event (the worker writes it to the dead letters).
//! Invariants: (1) No record causes a panic, a recursion deeper than [`MAX_NESTING_DEPTH`], or memory use beyond a
//! small multiple of its size. (2) The result depends only on the bytes and the pipeline.

mod error;
mod event_decoder;
mod event_time_text;
mod json;
mod limits;
mod rules;

pub use error::DecodeError;
pub use event_decoder::EventDecoder;
pub use limits::{MAX_NESTING_DEPTH, MAX_RECORD_BYTES};

#[cfg(test)]
mod tests;

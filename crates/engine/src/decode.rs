//! Decoding: from the bytes of a record to an event, or to the reason why the record is not one.
//!
//! Owns: what counts as a well-formed event, whatever its format. Does not own: what happens to other records (the worker
//! writes them to the dead letters).
//! Invariants: (1) no input panics, recurses deeper than [`MAX_DEPTH`], or takes more memory than a small multiple of
//! its own size; (2) the result depends on the bytes and the pipeline alone.

mod error;
mod event_decoder;
mod event_time_text;
mod json;
mod limits;
mod rules;

pub use error::DecodeError;
pub use event_decoder::EventDecoder;
pub use limits::{MAX_DEPTH, MAX_RECORD_BYTES};

#[cfg(test)]
mod tests;

//! Files as source and sink. The source reads JSON lines. The sinks write rows, late events and dead letters as JSON
//! lines.

mod dead_letters;
mod rows;
mod source;
mod timeout_reader;

pub use dead_letters::FileDeadLetters;
pub use rows::JsonLinesSink;
pub use source::{BytesReadCounter, FileSource};
pub use timeout_reader::TimeoutReader;

//! Files: events from JSON lines, rows and dead letters to JSON lines.

mod dead_letters;
mod quiet_pipe;
mod rows;
mod source;

pub use dead_letters::FileDeadLetters;
pub use quiet_pipe::TimeoutReader;
pub use rows::JsonLinesSink;
pub use source::{BytesReadCounter, FileSource};

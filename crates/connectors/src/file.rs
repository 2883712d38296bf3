//! Files: events from JSON lines, rows and dead letters to JSON lines.

mod dead_letters;
mod rows;
mod source;

pub use dead_letters::FileDeadLetters;
pub use rows::JsonLinesSink;
pub use source::{FileSource, Progress};

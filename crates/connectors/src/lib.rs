//! Windrow's inputs and outputs.
//!
//! Owns: how records are read and rows are written. Does not own: what they mean (core, engine).

pub mod file;
pub mod kafka;
pub mod object_store;
pub mod outage;
pub mod redis;
mod text;

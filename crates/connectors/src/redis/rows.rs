//! Encoding of rows: a worker turns rows into batches of commands before it hands them over.

pub(crate) mod batch;
pub(crate) mod encode;
pub(crate) mod feedback;

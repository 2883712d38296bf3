//! Encoding of rows: a worker turns rows into batches of commands before it hands them over.

pub(crate) mod batch;
pub(crate) mod feedback;
pub(crate) mod row_encoder;

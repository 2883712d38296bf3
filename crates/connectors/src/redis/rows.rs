//! Encoding of rows. A worker encodes rows as Redis commands, collects the commands in batches, and hands the batches
//! over.

pub(crate) mod batch;
pub(crate) mod feedback;
pub(crate) mod row_encoder;

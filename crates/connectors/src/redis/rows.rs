//! Encoding of rows. A worker encodes rows as Redis commands, collects the commands in batches, and hands the batches
//! over to the queue.

pub(crate) mod batch;
pub(crate) mod feedback;
pub(crate) mod row_encoder;

//! From a row to a batch of encoded commands: what a worker does before it hands rows over.

pub(crate) mod batch;
pub(crate) mod encode;
pub(crate) mod feedback;

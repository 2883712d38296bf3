//! The limit on the size of a record.

/// The maximum size of a record in bytes, which is about Kafka's default limit for a batch of records. A larger record
/// becomes a dead letter.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

//! Limits on the size and the nesting depth of a record.

/// The maximum size of a record in bytes, which is about Kafka's default limit for a batch of records. A larger record
/// becomes a dead letter.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The maximum nesting depth of arrays and objects in a JSON record. A record with deeper nesting becomes a dead
/// letter.
pub const MAX_NESTING_DEPTH: usize = 128;

//! Limits on the size and the nesting depth of a record.

/// The size of the largest record that is decoded, in bytes. Equals Kafka's default limit for a batch. A larger record
/// becomes a dead letter.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The deepest nesting of JSON arrays and objects that is read. A record with deeper nesting becomes a dead letter.
pub const MAX_DEPTH: usize = 128;

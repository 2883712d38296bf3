//! Limits on the size and the nesting depth of a record.

/// The size of the largest record that is decoded, in bytes. Kafka's default limit for a batch is about as large. A
/// larger record becomes a dead letter.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The largest number of JSON arrays and objects inside each other. A record with deeper nesting becomes a dead letter.
pub const MAX_NESTING_DEPTH: usize = 128;

//! How large and how deep a record may be.

/// The largest record that is decoded, in bytes: Kafka's own default limit for a batch. Larger ones are dead letters.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The deepest nesting of JSON arrays and objects that is read. Deeper ones are dead letters.
pub const MAX_DEPTH: usize = 128;

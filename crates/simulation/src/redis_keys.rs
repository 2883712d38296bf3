//! The keys of a Redis and their values.

use std::collections::BTreeMap;

/// The name of a key.
pub(crate) type RedisKey = Vec<u8>;

/// The value of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoredValue {
    Text(Vec<u8>),
    Hash(StoredHash),
}

/// A row.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct StoredHash {
    pub(crate) fields: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) has_ttl: bool,
    /// The place of this row in the sequence of rows that its key must have; `None` before the first check.
    pub(crate) sequence_index: Option<usize>,
}

/// All keys of a server.
pub(crate) type StoredKeys = BTreeMap<RedisKey, StoredValue>;

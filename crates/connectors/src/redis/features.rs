//! Reads back the rows that Redis holds for an entity now.
//!
//! Owns: finding and reading the rows of an entity. Does not own: rendering the rows (the callers). If the keys of a
//! view contain no window, an entity has only one row in the view. The reader computes the key of this row. For other
//! views the reader scans all keys of the Redis database. A scan is fast enough for a single request. A caller with
//! many requests must limit the rate of the requests.

use redis::{Connection, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use windrow_core::{EventSchema, EventTime, FeatureView, ViewId, Window};
use windrow_spec::{RedisKeyWindow, RedisViewSpec};

use super::address::RedisAddress;
use super::fault::{RedisFault, classify_connection_error};
use super::fence::key::is_fence_key;
use super::login::open_connection;
use super::settings::RedisWriterSettings;

/// The approximate number of keys that Redis examines in one step of a scan.
pub const KEYS_PER_SCAN_STEP: usize = 1_000;
/// The maximal number of rows that one transaction reads. The limit is small, because Redis serves no other client
/// during a transaction.
const MAX_ROWS_PER_READ_TRANSACTION: usize = 50;

/// A row that was read back from Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRow {
    /// The feature view.
    pub view: ViewId,
    /// The key of the row in Redis.
    pub redis_key: Vec<u8>,
    /// The window, as far as the Redis key contains the window.
    pub window: RedisKeyWindow,
    /// The value at the key: the fields of the row, or a value of another type.
    pub contents: StoredRowContents,
    /// Milliseconds until the row expires; `None` if it never expires.
    pub remaining_ttl_ms: Option<i64>,
    /// Milliseconds since the row was written: the TTL of the view minus the remaining TTL. `None` if the row never
    /// expires, or if its remaining TTL exceeds the TTL of the view.
    pub age_ms: Option<i64>,
}

/// The value at the key of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoredRowContents {
    /// The fields with their values: first the entity key, then the features in the order of the view, then all other
    /// fields ordered by name.
    Fields(Vec<(Vec<u8>, Vec<u8>)>),
    /// The key holds another type than a hash. The text is the type name that Redis returns.
    OtherType(String),
}

/// The reason why rows could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadFeaturesError {
    /// The URL is invalid. The message contains the name of the setting, `sink.redis.url`.
    #[error("{0}")]
    InvalidAddress(String),
    /// Redis is unreachable or refused a command.
    #[error("Redis at {address} (sink.redis.url): {reason}")]
    RedisFailed {
        /// The address as `host:port`.
        address: String,
        /// The reason, without credentials.
        reason: String,
    },
}

/// The key of a row in Redis. Keys are ordered by view, then by window from old to new.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowKey {
    /// The feature view.
    pub view: ViewId,
    /// The window, as far as the Redis key contains the window.
    pub window: RedisKeyWindow,
    /// The key in Redis.
    pub redis_key: Vec<u8>,
}

impl RowKey {
    /// Parses `redis_key`, the key of a row in Redis. Returns `None` if no row of `view` for the entity with the entity
    /// key `key` has this key.
    #[must_use]
    pub fn from_redis_key(views: &[RedisViewSpec], view: ViewId, key: &str, redis_key: &[u8]) -> Option<Self> {
        let window = views.get(view.0)?.key_template.parse_redis_key(key, redis_key)?;
        // A key that is reserved for fences is never the key of a row.
        (!is_fence_key(redis_key)).then(|| Self { view, window, redis_key: redis_key.to_vec() })
    }
}

/// Returns the rows of `pipeline` that the Redis at `url` holds for the entity with the key `entity_key`. The rows are
/// ordered by view. The rows of a view are ordered from the oldest window to the newest window.
///
/// # Errors
/// When Redis is unreachable or refuses a command. Nothing is retried.
pub fn read_features(
    url: &str,
    pipeline: &windrow_spec::Pipeline,
    entity_key: &str,
) -> Result<Vec<StoredRow>, ReadFeaturesError> {
    let mut reader = FeatureReader::connect(url, pipeline, entity_key)?;
    let mut keys = reader.windowless_row_keys();
    reader.scan_windowed_row_keys(|found| {
        keys.extend(found);
        true
    })?;
    keys.sort_unstable();
    keys.dedup(); // SCAN may return a key twice
    reader.read_rows(&keys)
}

/// Finds and reads the rows of one entity. The reader has its own connection and does not use the connection of the
/// writer.
pub struct FeatureReader<'a> {
    connection: Connection,
    address: RedisAddress,
    pipeline: &'a windrow_spec::Pipeline,
    key: &'a str,
}

impl<'a> FeatureReader<'a> {
    /// Connects to the Redis at `url` to read the rows of the entity with the entity key `key`.
    ///
    /// # Errors
    /// When the URL is invalid, or Redis is unreachable or refuses the login.
    pub fn connect(url: &str, pipeline: &'a windrow_spec::Pipeline, key: &'a str) -> Result<Self, ReadFeaturesError> {
        let address = RedisAddress::parse(url).map_err(ReadFeaturesError::InvalidAddress)?;
        let settings = RedisWriterSettings::default();
        match open_connection(&address, settings.connect_timeout, settings.response_timeout) {
            Ok(connection) => Ok(Self { connection, address, pipeline, key }),
            Err(fault) => Err(to_read_features_error(&address, &fault)),
        }
    }

    /// Returns the entity's row keys that contain no window. The entity has one such key for each view whose key
    /// template contains no window.
    #[must_use]
    pub fn windowless_row_keys(&self) -> Vec<RowKey> {
        let epoch = EventTime::from_ms(0);
        let no_window = Window { start: epoch, end: epoch };
        let views = &self.pipeline.sink.redis().redis_view_specs;
        let fixed = views.iter().enumerate().filter(|(_, view)| !view.key_template.has_window_placeholder());
        fixed
            .filter_map(|(index, view)| {
                let mut redis_key = Vec::new();
                view.key_template.append_redis_key(&mut redis_key, self.key, no_window);
                RowKey::from_redis_key(views, ViewId(index), self.key, &redis_key)
            })
            .collect()
    }

    /// Scans all keys of the Redis database. Finds the entity's row keys that contain a window. Each step examines
    /// about [`KEYS_PER_SCAN_STEP`] keys. After each step, `found` receives the row keys that the step has found, often
    /// none. The scan ends early when `found` returns false. `found` may receive the same key twice.
    ///
    /// # Errors
    /// When Redis is unreachable or refuses a command.
    pub fn scan_windowed_row_keys(
        &mut self,
        mut found: impl FnMut(Vec<RowKey>) -> bool,
    ) -> Result<(), ReadFeaturesError> {
        let views = &self.pipeline.sink.redis().redis_view_specs;
        for (index, view) in views.iter().enumerate().filter(|(_, view)| view.key_template.has_window_placeholder()) {
            let pattern = view.key_template.redis_scan_pattern(self.key);
            let mut cursor = 0_u64;
            loop {
                let mut step = redis::cmd("SCAN");
                step.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(KEYS_PER_SCAN_STEP);
                let (next, keys): (u64, Vec<Vec<u8>>) =
                    step.query(&mut self.connection).map_err(|error| self.read_error(&error))?;
                let parse = |redis_key: &Vec<u8>| RowKey::from_redis_key(views, ViewId(index), self.key, redis_key);
                if !found(keys.iter().filter_map(parse).collect()) {
                    return Ok(());
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(())
    }

    /// Returns the rows at `keys`, in the order of `keys`. Leaves out keys that do not exist in Redis.
    ///
    /// # Errors
    /// When Redis is unreachable or refuses a command.
    pub fn read_rows(&mut self, keys: &[RowKey]) -> Result<Vec<StoredRow>, ReadFeaturesError> {
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MAX_ROWS_PER_READ_TRANSACTION) {
            let read = self.read_rows_atomically(keys).map_err(|error| self.read_error(&error))?;
            rows.extend(read);
        }
        Ok(rows)
    }

    fn read_error(&self, error: &RedisError) -> ReadFeaturesError {
        to_read_features_error(&self.address, &classify_connection_error(error))
    }

    fn read_rows_atomically(&mut self, keys: &[RowKey]) -> RedisResult<Vec<StoredRow>> {
        let mut pipeline = Pipeline::new();
        pipeline.atomic().ignore_errors();
        for key in keys {
            RowReadReplies::push_row_read_commands(&mut pipeline, key);
        }
        let replies: Vec<Value> = pipeline.query(&mut self.connection)?;
        let mut replies = replies.into_iter();
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(row_replies) = RowReadReplies::take_replies_of_next_row(&mut replies) else { break };
            rows.extend(self.decode_row(key, row_replies)?);
        }
        Ok(rows)
    }

    /// Decodes the row at `key` from the `replies` of Redis. Returns `None` if the key does not exist.
    fn decode_row(&self, key: &RowKey, replies: RowReadReplies) -> RedisResult<Option<StoredRow>> {
        let RowKey { view: id, window, redis_key } = key.clone();
        let Some((view, redis_view)) = self.pipeline.views_with_redis_specs().nth(id.0) else { return Ok(None) };
        let kind = String::from_redis_value(replies.type_reply.extract_error()?)?;
        let ttl = i64::from_redis_value(replies.ttl_reply.extract_error()?)?;
        let contents = match kind.as_str() {
            "none" => return Ok(None),
            "hash" => StoredRowContents::Fields(sort_fields_in_view_order(
                Vec::from_redis_value(replies.fields_reply.extract_error()?)?,
                view,
                &self.pipeline.event.schema,
            )),
            _ => StoredRowContents::OtherType(kind),
        };
        let ttl_left_ms = (ttl >= 0).then_some(ttl);
        let age_ms = ttl_left_ms.map(|left| redis_view.ttl_ms - left).filter(|age| *age >= 0);
        Ok(Some(StoredRow { view: id, redis_key, window, contents, remaining_ttl_ms: ttl_left_ms, age_ms }))
    }
}

/// The replies to the three commands that read one row.
struct RowReadReplies {
    type_reply: Value,
    ttl_reply: Value,
    fields_reply: Value,
}

impl RowReadReplies {
    fn push_row_read_commands(pipeline: &mut Pipeline, RowKey { redis_key, .. }: &RowKey) {
        pipeline.cmd("TYPE").arg(redis_key).cmd("PTTL").arg(redis_key).cmd("HGETALL").arg(redis_key);
    }

    /// Takes the next three replies from `replies`. They answer the three commands that
    /// [`Self::push_row_read_commands`] pushed for one row.
    fn take_replies_of_next_row(replies: &mut impl Iterator<Item = Value>) -> Option<Self> {
        Some(Self { type_reply: replies.next()?, ttl_reply: replies.next()?, fields_reply: replies.next()? })
    }
}

fn to_read_features_error(address: &RedisAddress, fault: &RedisFault) -> ReadFeaturesError {
    ReadFeaturesError::RedisFailed { address: address.to_string(), reason: fault.to_string() }
}

fn sort_fields_in_view_order(
    mut fields: Vec<(Vec<u8>, Vec<u8>)>,
    view: &FeatureView,
    schema: &EventSchema,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = || {
        let features = view.features.iter().map(|feature| feature.name.as_bytes());
        std::iter::once(schema.entity_key_name().as_bytes()).chain(features)
    };
    fields.sort_unstable_by(|(a, _), (b, _)| {
        let place = |field: &[u8]| names().position(|name| name == field).unwrap_or(usize::MAX);
        (place(a), a).cmp(&(place(b), b))
    });
    fields
}

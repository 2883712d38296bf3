//! Reads back the rows that Redis holds for an entity now.
//!
//! Owns: finding and reading an entity's rows. Does not own: rendering them (the binary).
//! A view whose key names no window has one row per entity, which is read directly. For the other views all keys of the
//! database are scanned. That is fine for a single request; a caller with many requests limits their rate.

use redis::{Connection, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use windrow_core::{EventSchema, EventTime, FeatureView, ViewId, Window};
use windrow_spec::{KeyWindow, RedisViewSpec};

use super::address::RedisAddress;
use super::fault::classify_error;
use super::fence::key::is_fence_key;
use super::settings::RedisWriterSettings;

/// Keys that one step of a scan examines.
pub const SCAN_STEP_KEYS: usize = 1_000;
/// Rows read in one transaction. Redis serves no other client meanwhile.
const ROWS_PER_TRANSACTION: usize = 50;

/// A row as Redis holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRow {
    /// The feature view.
    pub view: ViewId,
    /// The row's key.
    pub redis_key: Vec<u8>,
    /// What the key says about the window.
    pub window: KeyWindow,
    /// The row.
    pub contents: StoredRowContents,
    /// Milliseconds until Redis forgets the row; `None`: never.
    pub ttl_left_ms: Option<i64>,
    /// Milliseconds since it was written: the view's TTL less what is left of it. `None` where it never expires, or
    /// expires later than the view says.
    pub age_ms: Option<i64>,
}

/// What is stored at a row's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoredRowContents {
    /// Field and value: first those the view writes, in its order, then others in the order of their names.
    Fields(Vec<(Vec<u8>, Vec<u8>)>),
    /// Not a hash but, in Redis' words, this.
    OtherType(String),
}

/// Why the rows could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadFeaturesError {
    /// Redis cannot be used; the message names the setting to look at.
    #[error("{0}")]
    Address(String),
    /// Redis failed or refused.
    #[error("Redis at {address} (sink.redis.url): {reason}")]
    Redis {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
}

/// The key of a row in Redis; ordered by view, then oldest window first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowKey {
    /// The feature view.
    pub view: ViewId,
    /// What the key says about the window.
    pub window: KeyWindow,
    /// The key.
    pub redis_key: Vec<u8>,
}

impl RowKey {
    /// Parses `redis_key`, if it is the key of a row of `view` for the entity `key`.
    #[must_use]
    pub fn parse(views: &[RedisViewSpec], view: ViewId, key: &str, redis_key: &[u8]) -> Option<Self> {
        let window = views.get(view.0)?.key.parse_key(key, redis_key)?;
        // Such a row is never written.
        (!is_fence_key(redis_key)).then(|| Self { view, window, redis_key: redis_key.to_vec() })
    }
}

/// Reads the rows of `pipeline` that the Redis at `url` holds for the entity `key`: by view in the pipeline's order, oldest
/// window first.
///
/// # Errors
/// When Redis is unreachable or refuses. Nothing is retried.
pub fn read_features(
    url: &str,
    pipeline: &windrow_spec::Pipeline,
    key: &str,
) -> Result<Vec<StoredRow>, ReadFeaturesError> {
    let mut reader = FeatureReader::open(url, pipeline, key)?;
    let mut keys = reader.fixed_row_keys();
    reader.scan_windowed_row_keys(|found| {
        keys.extend(found);
        true
    })?;
    keys.sort_unstable();
    keys.dedup(); // a scan may return a key twice
    reader.read_rows(&keys)
}

/// Finds and reads the rows of one entity, over a connection of its own.
pub struct FeatureReader<'a> {
    connection: Connection,
    address: RedisAddress,
    pipeline: &'a windrow_spec::Pipeline,
    key: &'a str,
}

impl<'a> FeatureReader<'a> {
    /// Connects to the Redis at `url`, to read the rows of the entity `key`.
    ///
    /// # Errors
    /// When Redis is unreachable or refuses.
    pub fn open(url: &str, pipeline: &'a windrow_spec::Pipeline, key: &'a str) -> Result<Self, ReadFeaturesError> {
        let address = RedisAddress::parse(url).map_err(ReadFeaturesError::Address)?;
        let settings = RedisWriterSettings::default();
        match address.connect(settings.connect_timeout, settings.response_timeout) {
            Ok(connection) => Ok(Self { connection, address, pipeline, key }),
            Err(error) => Err(read_error(&address, &error)),
        }
    }

    /// Returns the row keys of the views that have one row per entity.
    #[must_use]
    pub fn fixed_row_keys(&self) -> Vec<RowKey> {
        let epoch = EventTime::from_ms(0);
        let no_window = Window { start: epoch, end: epoch };
        let views = &self.pipeline.sink.redis().views;
        let fixed = views.iter().enumerate().filter(|(_, view)| !view.key.names_window());
        fixed
            .filter_map(|(index, view)| {
                let mut redis_key = Vec::new();
                view.key.append_key(&mut redis_key, self.key, no_window);
                RowKey::parse(views, ViewId(index), self.key, &redis_key)
            })
            .collect()
    }

    /// Scans all keys of the database for row keys of the other views. Each step examines about [`SCAN_STEP_KEYS`] keys and
    /// hands the row keys among them, often none, to `found`, which returns whether to continue. A key may come twice.
    ///
    /// # Errors
    /// When Redis fails or refuses.
    pub fn scan_windowed_row_keys(
        &mut self,
        mut found: impl FnMut(Vec<RowKey>) -> bool,
    ) -> Result<(), ReadFeaturesError> {
        let views = &self.pipeline.sink.redis().views;
        for (index, view) in views.iter().enumerate().filter(|(_, view)| view.key.names_window()) {
            let pattern = view.key.scan_pattern(self.key);
            let mut cursor = 0_u64;
            loop {
                let mut step = redis::cmd("SCAN");
                step.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_STEP_KEYS);
                let (next, keys): (u64, Vec<Vec<u8>>) =
                    step.query(&mut self.connection).map_err(|error| read_error(&self.address, &error))?;
                let parse = |redis_key: &Vec<u8>| RowKey::parse(views, ViewId(index), self.key, redis_key);
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

    /// Reads the rows of `keys`, in their order, and leaves out keys without a row.
    ///
    /// # Errors
    /// When Redis fails or refuses.
    pub fn read_rows(&mut self, keys: &[RowKey]) -> Result<Vec<StoredRow>, ReadFeaturesError> {
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ROWS_PER_TRANSACTION) {
            let read = self.read_rows_atomically(keys).map_err(|error| read_error(&self.address, &error))?;
            rows.extend(read);
        }
        Ok(rows)
    }

    fn read_rows_atomically(&mut self, keys: &[RowKey]) -> RedisResult<Vec<StoredRow>> {
        let mut pipeline = Pipeline::new();
        pipeline.atomic().ignore_errors();
        for key in keys {
            RowReplies::push_commands(&mut pipeline, key);
        }
        let replies: Vec<Value> = pipeline.query(&mut self.connection)?;
        let mut replies = replies.into_iter();
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(row_replies) = RowReplies::take(&mut replies) else { break };
            rows.extend(self.decode_row(key, row_replies)?);
        }
        Ok(rows)
    }

    /// Decodes the row at `key`; `None` if there is none.
    fn decode_row(&self, key: &RowKey, replies: RowReplies) -> RedisResult<Option<StoredRow>> {
        let RowKey { view: id, window, redis_key } = key.clone();
        let Some((view, redis_view)) = self.pipeline.redis_views().nth(id.0) else { return Ok(None) };
        let kind = String::from_redis_value(replies.kind.extract_error()?)?;
        let ttl = i64::from_redis_value(replies.ttl.extract_error()?)?;
        let contents = match kind.as_str() {
            "none" => return Ok(None),
            "hash" => StoredRowContents::Fields(sort_fields(
                Vec::from_redis_value(replies.fields.extract_error()?)?,
                view,
                &self.pipeline.event.schema,
            )),
            _ => StoredRowContents::OtherType(kind),
        };
        let ttl_left_ms = (ttl >= 0).then_some(ttl);
        let age_ms = ttl_left_ms.map(|left| redis_view.ttl_ms - left).filter(|age| *age >= 0);
        Ok(Some(StoredRow { view: id, redis_key, window, contents, ttl_left_ms, age_ms }))
    }
}

/// The replies to the commands that read one row.
struct RowReplies {
    kind: Value,
    ttl: Value,
    fields: Value,
}

impl RowReplies {
    fn push_commands(pipeline: &mut Pipeline, RowKey { redis_key, .. }: &RowKey) {
        pipeline.cmd("TYPE").arg(redis_key).cmd("PTTL").arg(redis_key).cmd("HGETALL").arg(redis_key);
    }

    /// Takes the replies to what one call of [`Self::push_commands`] has pushed.
    fn take(replies: &mut impl Iterator<Item = Value>) -> Option<Self> {
        Some(Self { kind: replies.next()?, ttl: replies.next()?, fields: replies.next()? })
    }
}

fn read_error(address: &RedisAddress, error: &RedisError) -> ReadFeaturesError {
    ReadFeaturesError::Redis { address: address.to_string(), reason: classify_error(error).reason().to_owned() }
}

fn sort_fields(
    mut fields: Vec<(Vec<u8>, Vec<u8>)>,
    view: &FeatureView,
    schema: &EventSchema,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = || {
        let features = view.features.iter().map(|feature| feature.name.as_bytes());
        std::iter::once(schema.key_name().as_bytes()).chain(features)
    };
    fields.sort_unstable_by(|(a, _), (b, _)| {
        let place = |field: &[u8]| names().position(|name| name == field).unwrap_or(usize::MAX);
        (place(a), a).cmp(&(place(b), b))
    });
    fields
}

//! What Redis holds for an entity now.
//!
//! Owns: finding and reading an entity's rows. Does not own: showing them (the binary).
//! A view whose key names no window has one row per entity, read directly. For the others all keys of the database are
//! scanned: fine for a person who asks, not for a service.

use redis::{Connection, FromRedisValue, Pipeline, RedisResult, Value};
use windrow_core::{Schema, ViewId};
use windrow_spec::{KeyWindow, View};

use super::Settings;
use super::address::Address;
use super::fault;
use super::fence::is_fence;

/// Keys looked at per step of a scan.
const SCAN_COUNT: usize = 1_000;

/// A row as Redis holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRow {
    /// The feature view.
    pub view: ViewId,
    /// The row's key.
    pub redis_key: Vec<u8>,
    /// What the key says about the window.
    pub window: KeyWindow,
    /// The row.
    pub contents: Contents,
    /// Milliseconds until Redis forgets the row; `None`: never.
    pub ttl_left_ms: Option<i64>,
    /// Milliseconds since it was written: the view's TTL less what is left of it. `None` where it never expires, or
    /// expires later than the view says.
    pub age_ms: Option<i64>,
}

/// What is stored at a row's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Field and value: first those the view writes, in its order, then others in the order of their names.
    Fields(Vec<(Vec<u8>, Vec<u8>)>),
    /// Not a hash but, in Redis' words, this.
    OtherType(String),
}

/// Why the rows could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FeaturesError {
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

/// The rows that the Redis at `url` holds for the entity `key`: for each of `views` in their order, oldest window first.
///
/// # Errors
/// When Redis cannot be reached or refuses. Nothing is tried twice.
pub fn read_features(url: &str, views: &[View], schema: &Schema, key: &str) -> Result<Vec<FoundRow>, FeaturesError> {
    let address = Address::parse(url).map_err(FeaturesError::Address)?;
    let settings = Settings::default();
    let read = || {
        let mut connection = address.connect(settings.connect_timeout, settings.response_timeout)?;
        let mut found = Vec::new();
        for (index, view) in views.iter().enumerate() {
            let mut keys = if view.key.has_window() {
                scan(&mut connection, view, key)?
            } else {
                let mut redis_key = Vec::new();
                let nowhere = windrow_core::EventTime::from_ms(0);
                view.key.write(&mut redis_key, key, windrow_core::Window { start: nowhere, end: nowhere });
                vec![(KeyWindow::default(), redis_key)]
            };
            keys.sort_unstable_by(|(a, a_key), (b, b_key)| (a.start, a.end, a_key).cmp(&(b.start, b.end, b_key)));
            keys.dedup(); // a scan may return a key twice
            keys.retain(|(_, redis_key)| !is_fence(redis_key)); // never a row, see the link
            for (window, redis_key) in keys {
                found.extend(read_row(&mut connection, view, ViewId(index), schema, window, redis_key)?);
            }
        }
        Ok(found)
    };
    read().map_err(|error| FeaturesError::Redis {
        address: address.to_string(),
        reason: fault::of_error(&error).reason().to_owned(),
    })
}

fn scan(connection: &mut Connection, view: &View, key: &str) -> RedisResult<Vec<(KeyWindow, Vec<u8>)>> {
    let pattern = view.key.scan_pattern(key);
    let mut found = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_COUNT).query(connection)?;
        found.extend(keys.into_iter().filter_map(|redis_key| Some((view.key.matches(key, &redis_key)?, redis_key))));
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

/// Reads one row; `None` where there is none (any more).
fn read_row(
    connection: &mut Connection,
    view: &View,
    id: ViewId,
    schema: &Schema,
    window: KeyWindow,
    redis_key: Vec<u8>,
) -> RedisResult<Option<FoundRow>> {
    let mut pipeline = Pipeline::new();
    pipeline.atomic().ignore_errors();
    pipeline.cmd("TYPE").arg(&redis_key).cmd("PTTL").arg(&redis_key).cmd("HGETALL").arg(&redis_key);
    let (kind, ttl, fields): (Value, Value, Value) = pipeline.query(connection)?;
    let kind = String::from_redis_value(kind.extract_error()?)?;
    let ttl = i64::from_redis_value(ttl.extract_error()?)?;
    let contents = match kind.as_str() {
        "none" => return Ok(None),
        "hash" => Contents::Fields(in_order(Vec::from_redis_value(fields.extract_error()?)?, view, schema)),
        _ => Contents::OtherType(kind),
    };
    let ttl_left_ms = (ttl >= 0).then_some(ttl);
    let age_ms = ttl_left_ms.map(|left| view.ttl_ms - left).filter(|age| *age >= 0);
    Ok(Some(FoundRow { view: id, redis_key, window, contents, ttl_left_ms, age_ms }))
}

fn in_order(mut fields: Vec<(Vec<u8>, Vec<u8>)>, view: &View, schema: &Schema) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = || {
        let features = view.feature_view.features.iter().map(|feature| feature.name.as_bytes());
        std::iter::once(schema.key_name().as_bytes()).chain(features)
    };
    fields.sort_unstable_by(|(a, _), (b, _)| {
        let place = |field: &[u8]| names().position(|name| name == field).unwrap_or(usize::MAX);
        (place(a), a).cmp(&(place(b), b))
    });
    fields
}

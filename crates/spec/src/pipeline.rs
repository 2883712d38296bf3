//! The content of a valid pipeline file: the model that all other crates build on.
//!
//! Owns: the types only. Does not own: parsing them from TOML ([`crate::parse`]).
//! Sources, sinks and formats are enums, so that more can be added. A new variant is a compile error wherever the
//! choice matters.

use std::fmt;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use windrow_core::{EventFormat, EventSchema, FeatureView};

use crate::key_template::KeyTemplate;

/// A whole pipeline: one source, one type of event, its feature views, one sink.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The name: ASCII letters, digits, `_` and `-`, so it is safe in a path and in a metric's label.
    pub name: String,
    /// The source of the events.
    pub source: SourceSpec,
    /// The format and the fields of an event.
    pub event: EventSpec,
    /// The limit to the disorder of events.
    pub watermark: WatermarkSpec,
    /// The times and the store of checkpoints.
    pub checkpoint: CheckpointSpec,
    /// The sink of the rows.
    pub sink: SinkSpec,
    /// The destination of records that are not events. With `None`, such records are only counted.
    pub dead_letters: Option<DeadLetterSpec>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<FeatureView>,
}

impl Pipeline {
    /// Returns every feature view with its settings in Redis, in the order of the file.
    pub fn views_with_redis_specs(&self) -> impl ExactSizeIterator<Item = (&FeatureView, &RedisViewSpec)> {
        self.views.iter().zip(&self.sink.redis().redis_view_specs)
    }
}

/// `[source]`: the source of the events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceSpec {
    /// A Kafka topic.
    Kafka(KafkaSourceSpec),
}

impl SourceSpec {
    /// Returns the Kafka topic that the pipeline reads.
    #[must_use]
    pub const fn kafka(&self) -> &KafkaSourceSpec {
        let Self::Kafka(kafka) = self;
        kafka
    }
}

/// `[source.kafka]`: the settings of a Kafka topic as the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaSourceSpec {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic, a legal name for Kafka.
    pub topic: String,
    /// The consumer group.
    pub consumer_group: String,
    /// The position at which reading begins without a checkpoint.
    pub start_position: StartPosition,
    /// The policy for a partition whose next offset is no longer in Kafka.
    pub lost_offset_policy: LostOffsetPolicy,
    /// The protocol by which workers are members of the group.
    pub group_protocol: GroupProtocol,
}

/// The position at which a partition is read without a checkpoint and without a committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartPosition {
    /// Reading begins at the oldest retained record.
    Earliest,
    /// Reading begins at records that arrive from now on.
    Latest,
}

/// The policy for a partition whose next offset is no longer in Kafka.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOffsetPolicy {
    /// The worker halts, so that an operator decides.
    Halt,
    /// The worker continues at the oldest retained record. The windows miss the lost records.
    Earliest,
}

/// The protocol by which the members of a consumer group share partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// The protocol that every broker supports. Members set the timeout after which they count as failed.
    Classic {
        /// The time without a heartbeat after which a member counts as failed: 1 s to 30 min, within the broker's own
        /// bounds.
        session_timeout_ms: i64,
    },
    /// The protocol of Kafka 4 (KIP-848). The broker sets the timeout.
    Consumer,
}

/// `[event]` and `[event.fields]`: the format and the fields of an event.
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// The encoding of an event in a record.
    pub format: EventFormat,
    /// The entity key and the declared fields.
    pub schema: EventSchema,
    /// The JSON member that holds the event time.
    pub time_field: String,
    /// The zone of event times without an offset. The zone comes from the bundled database, so it is the same on all
    /// machines.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8. A record with a longer key is a dead letter.
    pub max_key_bytes: usize,
}

/// `[watermark]`: the limit to the disorder of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatermarkSpec {
    /// The longest time that an event may lie behind the latest event of its partition; at least 0.
    pub max_out_of_orderness_ms: i64,
}

/// `[checkpoint]`: the times and the store of checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointSpec {
    /// The time between the starts of two checkpoints; at least 1.
    pub checkpoint_interval_ms: i64,
    /// The URL of the store: `file:path`, `s3://…`, `gs://…` or `az://…`.
    pub checkpoint_store_url: String,
    /// The number of checkpoint generations that are kept per partition; at least 1.
    pub kept_generations: usize,
}

/// `[sink]`: the sink of the rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SinkSpec {
    /// A Redis server, with one hash per row.
    Redis(RedisSinkSpec),
}

impl SinkSpec {
    /// Returns the settings of the Redis that the pipeline writes to.
    #[must_use]
    pub const fn redis(&self) -> &RedisSinkSpec {
        let Self::Redis(redis) = self;
        redis
    }
}

/// `[sink.redis]`, and the Redis settings of every feature view.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSinkSpec {
    /// The URL of the server: `redis://…`, `rediss://…` or `unix://…`. It may hold a password, which [`fmt::Debug`]
    /// leaves out.
    pub redis_url: String,
    /// The settings of the pipeline's feature views, in the same order.
    pub redis_view_specs: Vec<RedisViewSpec>,
}

/// `key` and `ttl` of `[feature_view.NAME]`: the settings of one view in Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisViewSpec {
    /// The template of the Redis key of a row.
    pub key_template: KeyTemplate,
    /// The time from the write of a row to its expiry; at least 1.
    pub ttl_ms: i64,
}

impl fmt::Debug for RedisSinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = match (self.redis_url.split_once("://"), self.redis_url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
            _ => self.redis_url.clone(),
        };
        f.debug_struct("RedisSinkSpec").field("url", &redacted).field("views", &self.redis_view_specs).finish()
    }
}

/// `[dead_letters]`: the destination of records that are not events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterSpec {
    /// This Kafka topic on the source's brokers. It is never the source's own topic.
    Topic(String),
    /// This file, to which records are appended.
    File(PathBuf),
}

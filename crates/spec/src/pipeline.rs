//! The content of a valid pipeline file: the model that all other crates build on.
//!
//! Owns: the types only. Does not own: parsing them from TOML ([`crate::parse`]). Sources, sinks and formats are enums,
//! so that more can be added. The compiler then finds every place that must handle a new variant.

use std::fmt;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use windrow_core::{EventFormat, EventSchema, FeatureView};

use crate::key_template::KeyTemplate;

/// A pipeline: one source, one type of event, the feature views, and one sink.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The name of the pipeline. It has only ASCII letters, digits, `_` and `-`, so it is safe in paths and metric
    /// labels.
    pub name: String,
    /// The source of the events.
    pub source: SourceSpec,
    /// The format and the fields of an event.
    pub event: EventSpec,
    /// The limit for events that arrive out of order.
    pub watermark: WatermarkSpec,
    /// The interval and the store of checkpoints.
    pub checkpoint: CheckpointSpec,
    /// The sink of the rows.
    pub sink: SinkSpec,
    /// The destination of dead letters (records that are not events). With `None`, dead letters are only counted.
    pub dead_letters: Option<DeadLetterSpec>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<FeatureView>,
}

impl Pipeline {
    /// Returns every feature view with its Redis settings, in the order of the file.
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
    /// Where reading begins if there is neither a checkpoint nor a committed offset.
    pub start_position: StartPosition,
    /// What a worker does if Kafka has deleted the next records of a partition.
    pub lost_offset_policy: LostOffsetPolicy,
    /// The protocol by which workers join the consumer group and share partitions.
    pub group_protocol: GroupProtocol,
}

/// Where reading of a partition begins if there is neither a checkpoint nor a committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartPosition {
    /// Reading begins at the oldest retained record.
    Earliest,
    /// Reading begins at the end of the partition, so it skips all existing records.
    Latest,
}

/// What a worker does if Kafka has deleted the next records of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOffsetPolicy {
    /// The worker halts, so that an operator decides.
    Halt,
    /// The worker continues at the oldest retained record. The windows lack the deleted records.
    Earliest,
}

/// The protocol by which the members of a consumer group share partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// The protocol that every broker supports. Each member chooses its own session timeout.
    Classic {
        /// The time without a heartbeat after which the broker removes a member: 1 s to 30 min. The broker may allow
        /// less.
        session_timeout_ms: i64,
    },
    /// The protocol of Kafka 4 (KIP-848). The broker sets the session timeout.
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
    /// The time zone of event times without a UTC offset. It comes from the bundled database, so it is the same on all
    /// machines.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8. A record with a longer key is a dead letter.
    pub max_key_bytes: usize,
}

/// `[watermark]`: the limit for events that arrive out of order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatermarkSpec {
    /// How far the watermark stays behind the latest event time of a partition; at least 0. Events within this distance
    /// are never late.
    pub max_out_of_orderness_ms: i64,
}

/// `[checkpoint]`: the interval and the store of checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointSpec {
    /// The time from the start of one checkpoint to the start of the next; at least 1.
    pub checkpoint_interval_ms: i64,
    /// The URL of the checkpoint store: `file:path`, `s3://…`, `gs://…` or `az://…`.
    pub checkpoint_store_url: String,
    /// The number of complete checkpoints that are kept per partition; at least 1.
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
    /// The URL of the server: `redis://…`, `rediss://…` or `unix://…`. It may contain a password, which [`fmt::Debug`]
    /// omits.
    pub redis_url: String,
    /// The Redis settings of each feature view, in the order of [`Pipeline::views`].
    pub redis_view_specs: Vec<RedisViewSpec>,
}

/// `key` and `ttl` of `[feature_view.NAME]`: the settings of one view in Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisViewSpec {
    /// The template of the Redis key of a row.
    pub key_template: KeyTemplate,
    /// The time after which Redis deletes a row, counted from its last write; at least 1.
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

/// `[dead_letters]`: the destination of dead letters, which are records that are not events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterSpec {
    /// A Kafka topic on the brokers of the source. It differs from the topic of the source.
    Topic(String),
    /// A file. Dead letters are appended to it.
    File(PathBuf),
}

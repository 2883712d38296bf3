//! The content of a valid pipeline file: the model that all other crates build on.
//!
//! Owns: the types only. Does not own: reading them from TOML ([`crate::parse`]).
//! Room for more: sources, sinks and formats are enums. A new variant is a compile error wherever the choice matters.

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
    /// Where events come from.
    pub source: SourceSpec,
    /// The format and the fields of an event.
    pub event: EventSpec,
    /// How far events may be out of order.
    pub watermark: WatermarkSpec,
    /// When and where state is saved.
    pub checkpoint: CheckpointSpec,
    /// Where rows go.
    pub sink: SinkSpec,
    /// Where records go that are not events; `None`: they are only counted.
    pub dead_letters: Option<DeadLetterSpec>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<FeatureView>,
}

impl Pipeline {
    /// Returns every feature view with its settings in Redis, in the order of the file.
    pub fn redis_views(&self) -> impl ExactSizeIterator<Item = (&FeatureView, &RedisViewSpec)> {
        self.views.iter().zip(&self.sink.redis().views)
    }
}

/// `[source]`
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

/// `[source.kafka]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaSourceSpec {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic, a legal name for Kafka.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where to begin without a checkpoint.
    pub start: StartPosition,
    /// What to do where Kafka no longer has the next offset.
    pub on_lost_offset: LostOffsetPolicy,
    /// How workers are members of the group.
    pub group_protocol: GroupProtocol,
}

/// Where a partition is read from without a checkpoint and without a committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartPosition {
    /// At the oldest retained record.
    Earliest,
    /// At records that arrive from now on.
    Latest,
}

/// What to do where the next offset of a partition is no longer in Kafka.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOffsetPolicy {
    /// Halt, so that an operator decides.
    Halt,
    /// Continue at the oldest retained record; the windows miss the lost records.
    Earliest,
}

/// The protocol by which the members of a consumer group share partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// The protocol of every broker. Members set the timeout after which they count as failed.
    Classic {
        /// Without a heartbeat for this long, a member counts as failed. 1 s to 30 min, within the broker's own bounds.
        session_timeout_ms: i64,
    },
    /// The protocol of Kafka 4 (KIP-848). The broker sets the timeout.
    Consumer,
}

/// `[event]` and `[event.fields]`
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// How a record encodes an event.
    pub format: EventFormat,
    /// The entity key and the declared fields.
    pub schema: EventSchema,
    /// The JSON member that holds the event time.
    pub time_field: String,
    /// The zone of event times without an offset. It comes from the bundled database, so it is the same on all machines.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8. A record with a longer key is a dead letter.
    pub max_key_bytes: usize,
}

/// `[watermark]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatermarkSpec {
    /// How far an event's time may lie behind the latest one of its partition; at least 0.
    pub max_out_of_orderness_ms: i64,
}

/// `[checkpoint]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointSpec {
    /// Time between the starts of two checkpoints; at least 1.
    pub interval_ms: i64,
    /// `file:path`, `s3://…`, `gs://…` or `az://…`.
    pub store: String,
    /// Generations kept per partition; at least 1.
    pub kept_generations: usize,
}

/// `[sink]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SinkSpec {
    /// Hashes in a Redis.
    Redis(RedisSinkSpec),
}

impl SinkSpec {
    /// Returns the Redis that the pipeline writes to.
    #[must_use]
    pub const fn redis(&self) -> &RedisSinkSpec {
        let Self::Redis(redis) = self;
        redis
    }
}

/// `[sink.redis]`, and what every feature view says about its rows in Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSinkSpec {
    /// `redis://…`, `rediss://…` or `unix://…`; may hold a password, which [`fmt::Debug`] leaves out.
    pub url: String,
    /// The settings of the pipeline's feature views, in the same order.
    pub views: Vec<RedisViewSpec>,
}

/// `key` and `ttl` of `[feature_view.NAME]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisViewSpec {
    /// The Redis key of a row.
    pub key: KeyTemplate,
    /// Time from the write of a row to its expiry; at least 1.
    pub ttl_ms: i64,
}

impl fmt::Debug for RedisSinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
            _ => self.url.clone(),
        };
        f.debug_struct("RedisSinkSpec").field("url", &redacted).field("views", &self.views).finish()
    }
}

/// `[dead_letters]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeadLetterSpec {
    /// To this Kafka topic, on the source's brokers; never the source's own topic.
    Topic(String),
    /// Appended to this file.
    File(PathBuf),
}

//! What a pipeline file says, validated: the shape everything else is built from.
//!
//! Owns: the types only. Does not own: reading them from TOML ([`crate::parse`]).

use std::{fmt, path::PathBuf};

use jiff::tz::TimeZone;
use windrow_core::{EventSchema, FeatureView};

use crate::KeyTemplate;

/// A whole pipeline: one source, one event type, its feature views, one sink.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name: ASCII letters, digits, `_` and `-`, so it is safe in a path and in a metric's label.
    pub name: String,
    /// Where events come from.
    pub source: KafkaSourceSpec,
    /// What an event is.
    pub event: EventSpec,
    /// How event time moves on.
    pub watermark: WatermarkSpec,
    /// When state is saved, and where.
    pub checkpoint: CheckpointSpec,
    /// Where rows go.
    pub sink: RedisSinkSpec,
    /// Where records go that are not events; `None`: they are only counted.
    pub dead_letters: Option<DeadLetterSpec>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<ViewSpec>,
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
    /// What to do where Kafka no longer has the offset to go on at.
    pub on_lost_offset: LostOffsetPolicy,
    /// How workers are members of the group.
    pub group_protocol: GroupProtocol,
}

/// Where a partition is read from when no checkpoint and no committed offset says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartPosition {
    /// At the oldest record still kept.
    Earliest,
    /// At records that arrive from now on.
    Latest,
}

/// What to do where the offset to go on at is no longer in Kafka.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOffsetPolicy {
    /// Stop, so that somebody decides.
    Halt,
    /// Go on at the oldest record still kept; the windows miss what is gone.
    Earliest,
}

/// The protocol by which the members of a consumer group share partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// The one that every broker knows; the members say when one of them counts as gone.
    Classic {
        /// Without a sign of life for this long, a member counts as gone; 1 s to 30 min, within the broker's own bounds.
        session_timeout_ms: i64,
    },
    /// Kafka 4's (KIP-848); the broker says when a member counts as gone.
    Consumer,
}

/// `[event]` and `[event.fields]`
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// The entity key and the declared fields.
    pub schema: EventSchema,
    /// The JSON member that holds the event time.
    pub time_field: String,
    /// The zone of event times written without an offset. From the bundled database, so it is the same everywhere.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8; records with a longer one are dead letters.
    pub max_key_bytes: usize,
}

/// `[watermark]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatermarkSpec {
    /// How far an event's time may lie behind the latest one seen in its partition; at least 0.
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

/// `[sink.redis]`
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSinkSpec {
    /// `redis://…`, `rediss://…` or `unix://…`; may hold a password, which [`fmt::Debug`] leaves out.
    pub url: String,
}

impl fmt::Debug for RedisSinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
            _ => self.url.clone(),
        };
        f.debug_struct("RedisSink").field("url", &shown).finish()
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

/// `[feature_view.NAME]`
#[derive(Clone, Debug)]
pub struct ViewSpec {
    /// Its name, windows and features.
    pub feature_view: FeatureView,
    /// The Redis key of a row.
    pub key: KeyTemplate,
    /// How long a row lives after it was written; at least 1.
    pub ttl_ms: i64,
}

//! What a pipeline file says, validated: the shape everything else is built from.
//!
//! Owns: the types only. Does not own: reading them from TOML ([`crate::parse`]).

use std::{fmt, path::PathBuf};

use jiff::tz::TimeZone;
use windrow_core::{FeatureView, Schema};

use crate::KeyTemplate;

/// A whole pipeline: one source, one event type, its feature views, one sink.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name: ASCII letters, digits, `_` and `-`, so it is safe in a path and in a metric's label.
    pub name: String,
    /// Where events come from.
    pub source: KafkaSource,
    /// What an event is.
    pub event: EventSpec,
    /// How event time moves on.
    pub watermark: Watermark,
    /// When state is saved, and where.
    pub checkpoint: Checkpoint,
    /// Where rows go.
    pub sink: RedisSink,
    /// Where records go that are not events; `None`: they are only counted.
    pub dead_letters: Option<DeadLetters>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<View>,
}

/// `[source.kafka]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaSource {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic, a legal name for Kafka.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where to begin without a checkpoint.
    pub start: Start,
}

/// Where a partition is read from when no checkpoint and no committed offset says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the oldest record still kept.
    Earliest,
    /// At records that arrive from now on.
    Latest,
}

/// `[event]` and `[event.fields]`
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// The entity key and the declared fields.
    pub schema: Schema,
    /// The JSON member that holds the event time.
    pub time_field: String,
    /// The zone of event times written without an offset. From the bundled database, so it is the same everywhere.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8; records with a longer one are dead letters.
    pub max_key_bytes: usize,
}

/// `[watermark]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermark {
    /// How far an event's time may lie behind the latest one seen in its partition; at least 0.
    pub max_out_of_orderness_ms: i64,
}

/// `[checkpoint]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Time between the starts of two checkpoints; at least 1.
    pub every_ms: i64,
    /// `file:path`, `s3://…`, `gs://…` or `az://…`.
    pub store: String,
}

/// `[sink.redis]`
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSink {
    /// `redis://…`, `rediss://…` or `unix://…`; may hold a password, which [`fmt::Debug`] leaves out.
    pub url: String,
}

impl fmt::Debug for RedisSink {
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
pub enum DeadLetters {
    /// To this Kafka topic, on the source's brokers; never the source's own topic.
    Topic(String),
    /// Appended to this file.
    File(PathBuf),
}

/// `[feature_view.NAME]`
#[derive(Clone, Debug)]
pub struct View {
    /// Its name, windows and features.
    pub feature_view: FeatureView,
    /// The Redis key of a row.
    pub key: KeyTemplate,
    /// How long a row lives after it was written; at least 1.
    pub ttl_ms: i64,
}

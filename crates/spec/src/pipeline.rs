//! The content of a valid pipeline file, as types for the other crates.
//!
//! Owns: the types. Does not own: reading the pipeline file ([`crate::parse`]). Sources, sinks and formats are enums,
//! although each has one variant. A second variant breaks only the accessors, such as [`SinkSpec::redis`], at compile
//! time. Their callers must be searched for.

use std::fmt;
use std::path::PathBuf;

use jiff::tz::{Offset, TimeZone};
use windrow_core::{
    EpochUnit, EventFormat, EventSchema, FeatureView, MisplacedRecordPolicy, Partitioner, TypeConversion,
};

use crate::key_template::KeyTemplate;
use crate::login_redaction::redact_url_credentials_and_query;
use crate::pipeline_test::PipelineTest;

/// A pipeline: one source, one type of event, the feature views, and one sink.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The name of the pipeline. It consists of ASCII letters, digits, `_` and `-`, so it can be part of a path or
    /// metric label.
    pub name: String,
    /// The source of the events.
    pub source: SourceSpec,
    /// The format and the fields of an event.
    pub event: EventSpec,
    /// How far the event times of a partition may be out of order.
    pub watermark: WatermarkSpec,
    /// The interval and the store of checkpoints.
    pub checkpoint: CheckpointSpec,
    /// The sink of the rows.
    pub sink: SinkSpec,
    /// The destination of dead letters: records that are not events, and rows that Redis refused. With `None`, dead
    /// letters are counted but not stored.
    pub dead_letters: Option<RejectDestination>,
    /// The destination of the records of late events. With `None`, late events are counted but not stored.
    pub late_events: Option<RejectDestination>,
    /// The feature views in the order of the file; at least one.
    pub views: Vec<FeatureView>,
    /// The tests of the pipeline, in the order of the file. Only `windrow test` runs them.
    pub tests: Vec<PipelineTest>,
}

impl Pipeline {
    /// Returns each feature view with its Redis settings, in the order of the file.
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
    /// The bootstrap servers: one or more `host:port`, separated by commas.
    pub brokers: String,
    /// The topic. Its name follows Kafka's rules for topic names.
    pub topic: String,
    /// The consumer group.
    pub consumer_group: String,
    /// Where reading a partition begins if the partition has neither a checkpoint nor a committed offset.
    pub start_position: StartPosition,
    /// What a worker does if Kafka has deleted the record from which the worker must continue.
    pub lost_offset_policy: LostOffsetPolicy,
    /// What a worker does with a partition that has a fault of its own.
    pub partition_fault_setting: PartitionFaultSetting,
    /// What a worker does with a record that is not in the partition of its entity.
    pub misplaced_record_policy: MisplacedRecordPolicy,
    /// The partitioner of all producers, or `None` if the file declares none. A pipeline whose misplaced records become
    /// dead letters declares it.
    pub partitioner: Option<Partitioner>,
    /// The rebalance protocol of the consumer group.
    pub group_protocol: GroupProtocol,
}

/// Where reading a partition begins if the partition has neither a checkpoint nor a committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartPosition {
    /// Reading begins at the oldest record that Kafka still has.
    Earliest,
    /// Reading begins at the end of the partition, so the existing records are skipped.
    Latest,
}

/// What a worker does if Kafka has deleted the record from which the worker must continue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOffsetPolicy {
    /// The worker does not continue, so that an operator can decide. The partition has a fault
    /// ([`PartitionFaultSetting`]).
    Halt,
    /// The worker continues at the oldest record that Kafka still has. The deleted records are missing from all
    /// windows.
    Earliest,
}

/// What a worker does with a partition that has a fault of its own, such as damaged state or a lost offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionFaultSetting {
    /// The worker parks the partition and opens it again later. Its other partitions continue.
    Park,
    /// The job halts.
    Halt,
}

impl PartitionFaultSetting {
    /// Returns the word that a pipeline file uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::Halt => "halt",
        }
    }
}

/// The rebalance protocol of the consumer group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// Kafka's classic protocol, which every broker supports. Each member chooses its own session timeout.
    Classic {
        /// The time without a heartbeat after which the broker removes a member from the group: 1 s to 30 min. The
        /// operator of a broker can set a lower maximum.
        session_timeout_ms: i64,
    },
    /// Kafka's new protocol (KIP-848), which needs brokers of Kafka 4. The broker sets the session timeout.
    Consumer,
}

/// `[event]` and `[event.fields]`: the format and the fields of an event.
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// The encoding of an event in a record.
    pub format: EventFormat,
    /// The entity key and the declared fields.
    pub schema: EventSchema,
    /// Which values of another type than declared are converted.
    pub type_conversion: TypeConversion,
    /// The name of the JSON member that holds the event time.
    pub time_field: String,
    /// The unit of event times that are numbers since the epoch, or `None` if `time_text_format` applies to integers
    /// too.
    pub time_number_unit: Option<EpochUnit>,
    /// The format of event times that are texts, in the notation of strptime. With `None`, they are RFC 3339, or ISO
    /// 8601 without an offset.
    pub time_text_format: Option<String>,
    /// The time zone of event times that are text without a UTC offset. Its rules come from the time zone database in
    /// Windrow's binary, so they are the same on all machines.
    pub time_zone: TimeZone,
    /// The longest entity key, in bytes of UTF-8. A record with a longer key is a dead letter.
    pub max_key_bytes: usize,
}

impl EventSpec {
    /// Returns the name of the time zone in the IANA time zone database, or its UTC offset: `+09:00`.
    #[must_use]
    pub fn time_zone_name(&self) -> String {
        if let Some(name) = self.time_zone.iana_name() {
            return name.to_owned();
        }
        let seconds = self.time_zone.to_fixed_offset().map_or(0, Offset::seconds);
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// `[watermark]`: how far the event times of a partition may be out of order, and what the wall clock decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatermarkSpec {
    /// The out-of-orderness that the pipeline tolerates; at least 0. The watermark of a partition stays this time plus
    /// 1 ms behind the latest event time. An event that is older than the latest event by at most this time is never
    /// late.
    pub max_out_of_orderness_ms: i64,
    /// When a partition is idle, so that its watermark follows the wall clock.
    pub idle_timeout: IdleTimeoutSpec,
    /// How much later than the wall clock the time of an event may be.
    pub future_limit: FutureLimitSpec,
}

/// How much later than the wall clock the time of an event may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FutureLimitSpec {
    /// An event may have any time.
    Off,
    /// A later event is a dead letter.
    Within {
        /// The largest difference, in milliseconds; at least 0.
        max_future_ms: i64,
    },
}

impl FutureLimitSpec {
    /// Returns the largest difference in milliseconds; `None` if an event may have any time.
    #[must_use]
    pub const fn max_future_ms(self) -> Option<i64> {
        match self {
            Self::Off => None,
            Self::Within { max_future_ms } => Some(max_future_ms),
        }
    }
}

/// When a partition is idle. Timeouts are in milliseconds, at least 1,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleTimeoutSpec {
    /// Never: the watermark follows events alone, as Flink's does by default.
    Off,
    /// The word `auto`, the default: without a record for the timeout, unless the events of the partition are more than a day
    /// old.
    LivePartitions {
        /// The time without a record.
        timeout_ms: i64,
    },
    /// A stated timeout: without a record for this time, whatever the age of the events.
    AllPartitions {
        /// The time without a record.
        timeout_ms: i64,
    },
}

/// `[checkpoint]`: the interval and the store of checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointSpec {
    /// The time from the start of one checkpoint to the start of the next checkpoint; at least 1 ms.
    pub checkpoint_interval_ms: i64,
    /// The URL of the checkpoint store: `file:path`, `s3://…`, `gs://…` or `az://…`.
    pub checkpoint_store_url: String,
    /// The number of complete checkpoints to keep for each partition; at least 1.
    pub kept_generation_count: usize,
    /// The locations below which a savepoint that is requested over HTTP may go, in addition to the job's own folder:
    /// `file:/…`, `s3://…`, `gs://…` or `az://…`.
    pub http_savepoint_locations: Vec<String>,
}

/// `[sink]`: the sink of the rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SinkSpec {
    /// A Redis server, with one hash per row.
    Redis(RedisSinkSpec),
}

impl SinkSpec {
    /// Returns the settings of the Redis server to which the pipeline writes.
    #[must_use]
    pub const fn redis(&self) -> &RedisSinkSpec {
        let Self::Redis(redis) = self;
        redis
    }
}

/// `[sink.redis]`, and the Redis settings of every feature view.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSinkSpec {
    /// The URL of the server with the login: `redis://…`, `rediss://…` or `unix://…`. The implementation of
    /// [`fmt::Debug`] omits the login.
    pub redis_url: String,
    /// The part of the URL that the pipeline file contains. References to secrets are left out.
    pub url_part_in_pipeline_file: String,
    /// The password in the spellings in which it could occur in a text. No output may contain one of them.
    pub passwords: Vec<String>,
    /// Whether the pipeline file contains the setting `password` as literal text.
    pub has_password_in_pipeline_file: bool,
    /// What a row needs to count as acknowledged.
    pub required_acknowledgement: RowAcknowledgement,
    /// The Redis settings of each feature view, in the order of [`Pipeline::views`].
    pub redis_view_specs: Vec<RedisViewSpec>,
}

/// `wait_replicas` and `wait_aof` of `[sink.redis]`: what a row needs to count as acknowledged, beside the answer of
/// Redis.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RowAcknowledgement {
    /// The number of replicas that must have the row.
    pub replica_count: usize,
    /// Whether the row must be in the append-only file on the disk of Redis, and of each of these replicas.
    pub requires_append_only_file: bool,
}

/// `key` and `ttl` of `[feature_view.NAME]`: the Redis settings of one view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisViewSpec {
    /// The template of the Redis key of a row.
    pub key_template: KeyTemplate,
    /// The time from the last write of a row until Redis deletes the row; at least 1 ms.
    pub ttl_ms: i64,
    /// Whether rows may delete keys: those of superseded rows, only in sessions with allowed lateness whose keys contain
    /// the window, or their own, because the window is empty.
    pub deletes_keys: bool,
}

impl fmt::Debug for RedisSinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = redact_url_credentials_and_query(&self.redis_url);
        f.debug_struct("RedisSinkSpec")
            .field("url", &redacted)
            .field("required_acknowledgement", &self.required_acknowledgement)
            .field("views", &self.redis_view_specs)
            .finish()
    }
}

/// `[dead_letters]` or `[late_events]`: the destination of dead letters or of late events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RejectDestination {
    /// A Kafka topic on the brokers of the source. It is never the topic that the source reads.
    Topic(String),
    /// A file to which they are appended.
    File(PathBuf),
}

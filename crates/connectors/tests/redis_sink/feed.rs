//! Rows with the values that a test needs, from events through a real shard.

use std::time::Duration;

use windrow_connectors::redis::{RedisSink, RedisWriter, RedisWriterSettings};
use windrow_core::{Event, EventTime, Row, Shard, ShardOutput, Value};
use windrow_engine::{
    ClaimOutcome, CountedRows, Epoch, FenceToken, FlushTicket, GrantedClaim, Halt, LogPosition, MissingRowsPolicy,
    OpeningAbandonment, Partition, PartitionClaim, RowFence, Sink, StopSignal, TriggerRecord, ViewRowCount,
};
use windrow_spec::{Pipeline, SinkSpec};

/// Windows of one second, so that the events of round `n` give their rows when round `n + 1` begins.
pub(crate) const PIPELINE: &str = r#"
name = "test"
[source.kafka]
brokers = "localhost:9092"
topic = "events"
group = "test"
start = "earliest"
[event]
format = "json"
key = "user_id"
time = "at"
[event.fields]
count = "long"
price = "double"
kind = "string"
flag = "boolean"
[watermark]
max_out_of_orderness = "0s"
[checkpoint]
every = "30s"
store = "file:./checkpoints"
[sink.redis]
url = "redis://localhost:6379"
[feature_view.latest]
window.tumbling = { size = "1s" }
key = "latest:{user_id}"
ttl = "1h"
[feature_view.latest.features]
count = { last = "count" }
again = { last = "count" }
price = { last = "price" }
kind = { last = "kind" }
flag = { last = "flag" }
"#;

/// A second view, whose rows have a key per window.
const WINDOWED: &str = r#"
[feature_view.per_window]
window.tumbling = { size = "1s" }
key = "window:{user_id}:{window_start}"
ttl = "2h"
[feature_view.per_window.features]
events = { count = "*" }
"#;

fn parse(text: &str) -> Pipeline {
    windrow_spec::parse("test.toml", text, &[]).expect("the test's pipeline")
}

/// The pipeline with the view `latest`.
pub(crate) fn pipeline() -> Pipeline {
    parse(PIPELINE)
}

/// The pipeline with the views `latest` and `per_window`.
pub(crate) fn windowed_pipeline() -> Pipeline {
    parse(&format!("{PIPELINE}{WINDOWED}"))
}

/// Settings with timeouts and pauses of milliseconds.
pub(crate) fn settings() -> RedisWriterSettings {
    RedisWriterSettings {
        start_timeout: Some(Duration::from_secs(20)),
        connect_timeout: Duration::from_millis(500),
        response_timeout: Duration::from_millis(500),
        min_retry_pause: Duration::from_millis(5),
        max_retry_pause: Duration::from_millis(100),
        acknowledgement_outage_delay: Duration::from_millis(100),
        ..RedisWriterSettings::default()
    }
}

/// Starts a writer of `pipeline` to `url`.
pub(crate) fn start_writer(
    url: &str,
    pipeline: &Pipeline,
    settings: RedisWriterSettings,
    stop: StopSignal,
) -> Result<RedisWriter, Halt> {
    let mut pipeline = pipeline.clone();
    let SinkSpec::Redis(redis) = &mut pipeline.sink;
    url.clone_into(&mut redis.redis_url);
    RedisWriter::start(&pipeline, settings, stop)
}

/// Starts a writer of `pipeline` to `url` that owns partition 0 under epoch 1.
pub(crate) fn start_owning_writer(url: &str, pipeline: &Pipeline, settings: RedisWriterSettings) -> RedisWriter {
    let writer = start_writer(url, pipeline, settings, StopSignal::default()).expect("a writer");
    let granted = claim(&writer, &new_claim(0, 1, &[("latest", 1, 0), ("per_window", 1, 0)][..pipeline.views.len()]));
    assert!(matches!(granted, ClaimOutcome::Granted(_)), "{granted:?}");
    writer
}

/// The answer to a claim without a known position; for each view how many rows there are.
pub(crate) fn granted_rows(last_written_row_number_by_view: Vec<u64>) -> ClaimOutcome {
    ClaimOutcome::Granted(GrantedClaim { last_written_row_number_by_view, ..GrantedClaim::default() })
}

/// A record at an unknown place.
pub(crate) fn trigger_record(event_time_ms: i64, record_timestamp_ms: Option<i64>) -> TriggerRecord {
    let event_time_ms = Some(event_time_ms);
    TriggerRecord { event_time_ms, record_timestamp_ms, next_position: LogPosition { offset: 1, leader_epoch: None } }
}

/// A claim; for each view its name, since which epoch its rows are counted, and how many there are.
pub(crate) fn new_claim(partition: Partition, epoch: Epoch, counts: &[(&str, Epoch, u64)]) -> PartitionClaim {
    let count = |&(view, beginning, rows): &(&str, _, _)| ViewRowCount {
        view: view.to_owned(),
        row_numbering_fingerprint: beginning,
        last_row_number: rows,
    };
    let row_counts: Vec<ViewRowCount> = counts.iter().map(count).collect();
    let counted = |count: &ViewRowCount| CountedRows {
        checkpoint_position: LogPosition { offset: 0, leader_epoch: None },
        newest_numbering: count.clone(),
        former_numberings: Vec::new(),
        earlier_counts: Vec::new(),
    };
    PartitionClaim {
        partition,
        epoch,
        checkpoint_rows: row_counts.iter().map(counted).collect(),
        row_counts,
        read_position: None,
        missing_rows: MissingRowsPolicy::GrantClaim,
    }
}

pub(crate) fn claim(writer: &RedisWriter, claim: &PartitionClaim) -> ClaimOutcome {
    writer.create_fence_claimer().claim_partition(claim, &OpeningAbandonment::default()).expect("an answer")
}

/// The values of one event beside its user: `count`, `price`, `kind`, `flag`.
pub(crate) type EventValues<'a> = [Value<'a>; 4];

/// Only `count` has a value.
pub(crate) fn only_count(count: i64) -> EventValues<'static> {
    [Value::Long(count), Value::Null, Value::Null, Value::Null]
}

/// A shard that feeds sinks.
pub(crate) struct RowFeed {
    shard: Shard,
    second: i64,
    pub(crate) fence_token: FenceToken,
}

struct SinkOutput<'a>(&'a mut RedisSink, FenceToken);

impl ShardOutput for SinkOutput<'_> {
    fn emit_row(&mut self, row: Row<'_>) {
        self.0.write_row(self.1, row);
    }

    fn emit_late_event(&mut self, late: windrow_core::LateEvent<'_>) {
        assert_eq!(late.entity_key, "", "no event of these tests is late");
    }
}

impl RowFeed {
    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        Self::with_token(pipeline, FenceToken { partition: 0, epoch: 1 })
    }

    pub(crate) fn with_token(pipeline: &Pipeline, fence_token: FenceToken) -> Self {
        let views = pipeline.views.iter();
        Self { shard: Shard::new(views, &pipeline.event.schema, 0, [7; 16]), second: 0, fence_token }
    }

    /// Hands `sink` one row for each of `rows`; their window starts one second after that of the round before.
    pub(crate) fn write_round<'a>(
        &mut self,
        sink: &mut RedisSink,
        rows: impl IntoIterator<Item = (&'a str, EventValues<'a>)>,
    ) {
        for (key, [count, price, kind, flag]) in rows {
            let fields = [Value::String(key), count, price, kind, flag];
            let time = EventTime::from_ms(self.second * 1_000);
            self.shard.process_event(
                &Event { entity_key: key, time, field_values: &fields },
                &mut SinkOutput(sink, self.fence_token),
            );
        }
        self.second += 1;
        // An event of another user brings the watermark to the round's end; its own row comes with the next round's.
        let (key, time) = ("clock", EventTime::from_ms(self.second * 1_000));
        let fields = [Value::String(key), Value::Null, Value::Null, Value::Null, Value::Null];
        self.shard.process_event(
            &Event { entity_key: key, time, field_values: &fields },
            &mut SinkOutput(sink, self.fence_token),
        );
    }
}

impl RowFeed {
    /// Hands `sink` the rows of the open windows. They have no number.
    pub(crate) fn finish_input(&mut self, sink: &mut RedisSink) {
        sink.set_trigger_record(None);
        self.shard.finish_input(&mut SinkOutput(sink, self.fence_token));
    }
}

/// Flushes, and waits until all rows are in Redis.
pub(crate) fn flush_and_wait(sink: &mut RedisSink) -> FlushTicket {
    let ticket = sink.start_flush().expect("the sink works");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(30)).expect("the sink works"), "rows do not reach Redis");
    assert!(sink.newest_acknowledged_flush() >= ticket);
    ticket
}

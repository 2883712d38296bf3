//! Measures how many rows of five fields a second reach Redis, and the cost of a row.
//!
//! `cargo run --release -p windrow-connectors --example redis_rate -- redis://localhost:6379 [ROWS] [USERS] [PARTITIONS]
//! [WAIT_REPLICAS] [aof]`
//!
//! Writes test data to that Redis and empties it first. With more than one partition, neighbouring rows are of different
//! partitions, which is the worst case. The last two arguments set `wait_replicas` and `wait_aof`. Besides the rate it prints
//! CPU time per row: of this process (sink and writer thread, without the shard that makes the rows) and of the server.
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::error::Error;
use std::time::{Duration, Instant};

use windrow_connectors::redis::{RedisSink, RedisWriter, RedisWriterSettings};
use windrow_core::{Event, EventTime, LateEvent, Row, Shard, ShardOutput, Value};
use windrow_engine::{
    FenceToken, MissingRowsPolicy, OpeningAbandonment, Partition, PartitionClaim, RowFence, Sink, StopSignal,
    ViewRowCount,
};
use windrow_spec::{Pipeline, RowAcknowledgement, SinkSpec};

const PIPELINE: &str = r#"
name = "rate"
[source.kafka]
brokers = "localhost:9092"
topic = "events"
group = "rate"
start = "earliest"
[event]
format = "json"
key = "user_id"
time = "at"
[event.fields]
price = "double"
[watermark]
max_out_of_orderness = "0s"
[checkpoint]
every = "30s"
store = "file:./checkpoints"
[sink.redis]
url = "redis://localhost:6379"
[feature_view.user_features]
window.tumbling = { size = "1s" }
key = "user_features:{user_id}"
ttl = "2h"
[feature_view.user_features.features]
view_count_1h = { count = "*" }
cart_count_1h = { count = "price" }
purchase_count_1h = { count = "*" }
avg_viewed_price_1h = { avg = "price" }
"#;

const EPOCH: u64 = 1;

enum RowTarget<'a> {
    Sink { sink: &'a mut RedisSink, partitions: Partition, next: Partition },
    Nowhere,
}

impl ShardOutput for RowTarget<'_> {
    fn emit_row(&mut self, row: Row<'_>) {
        match self {
            Self::Sink { sink, partitions, next } => {
                sink.write_row(FenceToken { partition: *next, epoch: EPOCH }, row);
                *next = (*next + 1) % *partitions;
            }
            Self::Nowhere => {
                std::hint::black_box(row.entity_key);
            }
        }
    }

    fn emit_late_event(&mut self, _late: LateEvent<'_>) {}
}

fn feed_events(pipeline: &Pipeline, rows: usize, users: &[String], out: &mut RowTarget<'_>) {
    let views = pipeline.views.iter();
    let mut shard = Shard::new(views, &pipeline.event.schema, 0, [7; 16]);
    for (user, n) in users.iter().cycle().take(rows).zip(0_u32..) {
        let round = i64::from(n) / i64::try_from(users.len()).unwrap_or(i64::MAX);
        let price = f64::from(n % 10_000) / 100.0;
        let fields = [Value::String(user), Value::Double(price)];
        shard.process_event(
            &Event { entity_key: user, time: EventTime::from_ms(round * 1_000), field_values: &fields },
            out,
        );
    }
    shard.finish_input(out);
}

/// Returns the CPU time of this process so far.
fn own_cpu() -> Result<Duration, Box<dyn Error>> {
    let mut spent = Duration::ZERO;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        spent += Duration::from_nanos(stat.split(' ').next().unwrap_or_default().parse()?);
    }
    Ok(spent)
}

/// Returns the CPU time of the server so far.
fn server_cpu(client: &mut redis::Connection) -> Result<Duration, Box<dyn Error>> {
    let info: String = redis::cmd("INFO").arg("cpu").query(client)?;
    let seconds =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(Duration::from_secs_f64(seconds("used_cpu_sys:") + seconds("used_cpu_user:")))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: redis_rate URL [ROWS] [USERS] [PARTITIONS] [WAIT_REPLICAS] [aof]")?;
    let rows: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let users: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let partitions: Partition = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let replica_count: usize = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let requires_append_only_file = arguments.next().is_some_and(|text| text == "aof");
    let users: Vec<String> = (0..users).map(|n| format!("user-{n}")).collect();
    let mut pipeline = windrow_spec::parse("rate.toml", PIPELINE, &[])?;
    let SinkSpec::Redis(redis) = &mut pipeline.sink;
    redis.redis_url.clone_from(&url);
    redis.required_acknowledgement = RowAcknowledgement { replica_count, requires_append_only_file };

    let before = own_cpu()?;
    feed_events(&pipeline, rows, &users, &mut RowTarget::Nowhere);
    let shard_cpu = own_cpu()? - before;

    let mut client = redis::Client::open(url.as_str())?.get_connection()?;
    // An earlier run may have left fences with a larger epoch.
    redis::cmd("FLUSHALL").exec(&mut client)?;
    let writer = RedisWriter::start(&pipeline, RedisWriterSettings::default(), StopSignal::default())?;
    for partition in 0..partitions {
        let counts = vec![ViewRowCount {
            view: "user_features".to_owned(),
            row_numbering_fingerprint: EPOCH,
            last_row_number: 0,
        }];
        writer.create_fence_claimer().claim_partition(
            &PartitionClaim {
                partition,
                epoch: EPOCH,
                row_counts: counts,
                checkpoint_rows: Vec::new(),
                read_position: None,
                missing_rows: MissingRowsPolicy::GrantClaim,
            },
            &OpeningAbandonment::default(),
        )?;
    }
    let mut sink = writer.create_worker_sink();
    let (own, server, began) = (own_cpu()?, server_cpu(&mut client)?, Instant::now());
    feed_events(&pipeline, rows, &users, &mut RowTarget::Sink { sink: &mut sink, partitions, next: 0 });
    let ticket = sink.start_flush()?;
    if !sink.wait_for_ticket(ticket, Duration::from_secs(600))? {
        return Err("rows did not reach Redis".into());
    }
    let seconds = began.elapsed().as_secs_f64();
    let own = (own_cpu()? - own).saturating_sub(shard_cpu);
    let server = server_cpu(&mut client)? - server;
    let status = writer.status();
    let written = f64::from(u32::try_from(status.rows_written)?);
    println!("{written} rows in {seconds:.2} s: {:.0} rows/s", written / seconds);
    println!("{:.0} rows per transaction", written / f64::from(u32::try_from(status.transaction_count)?));
    println!(
        "CPU per row: {:.2} µs here, {:.2} µs in Redis",
        own.as_secs_f64() * 1e6 / written,
        server.as_secs_f64() * 1e6 / written
    );
    Ok(())
}

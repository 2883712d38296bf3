//! What checkpoints cost: size and time of a base and of changes, restoring, and what a worker loses by taking them.
//!
//! `bench/checkpoints.sh` runs it. Events are made on the fly by offset, decoded and windowed by the real worker with the
//! shipped pipeline; rows go nowhere; checkpoints go to a real directory.

#![allow(clippy::print_stdout, clippy::expect_used)] // a program for people, not a part of the product

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use windrow_connectors::object_store::ObjectStores;
use windrow_core::Row;
use windrow_engine::checkpoint::{CheckpointConfig, RestoreSource, StateIdentity};
use windrow_engine::halt::InputFault;
use windrow_engine::{
    CheckpointStore, CheckpointStoreOpener, CommitWait, EventDecoder, FenceToken, FlushTicket, Halt, JobDefinition,
    NoDeadLetterSink, NoRowFence, Offset, Partition, PartitionOffsets, PollOutcome, Sink, Source, SourceRecord,
    StopSignal, SystemClock, Worker, WorkerMetrics, WorkerParts,
};
use windrow_spec::{Pipeline, SHIPPED_PIPELINE, parse};

const PANE_MS: i64 = 600_000;
const PANES: i64 = 6;
const START_MS: i64 = 1_704_103_200_000;
const RECORDS_PER_POLL: Offset = 1024;

/// Events of `users` users, by offset: one per user and pane, then on and on with the users in turn.
struct TrafficSource {
    users: i64,
    position: Option<Offset>,
    /// Reading stops at these offsets, one after another, until a checkpoint at each is complete.
    stops: Vec<Offset>,
    /// Where reading ends; the worker is stopped there without a last checkpoint.
    end: Offset,
    stop: StopSignal,
    committed: Arc<AtomicI64>,
    announced: bool,
    payload: String,
}

impl TrafficSource {
    fn new(users: i64, stops: Vec<Offset>, end: Offset, stop: &StopSignal) -> Self {
        let committed = Arc::new(AtomicI64::new(-1));
        Self {
            users,
            position: None,
            stops,
            end,
            stop: stop.clone(),
            committed,
            announced: false,
            payload: String::new(),
        }
    }

    fn write_event(&mut self, offset: Offset) {
        // Later rounds stay in the last pane, where nothing closes any more. Users, kinds and prices look like chance, so
        // that state packs no better than in life.
        let (round, turn) = (offset / self.users, offset % self.users);
        let user = scatter(turn.wrapping_mul(7_919).rem_euclid(self.users).cast_unsigned());
        let chance = scatter(offset.cast_unsigned() ^ 0x5eed);
        let time = START_MS + round.min(PANES - 1) * PANE_MS + turn * (PANE_MS - 20_000) / self.users;
        let time = time + i64::try_from(chance % 9_000).unwrap_or(0);
        let kind =
            ["view", "view", "view", "view", "cart", "purchase"][usize::try_from(chance / 9_000 % 6).unwrap_or(0)];
        let price = chance / 100_000 % 40_000 + 99;
        self.payload.clear();
        let _ = write!(
            self.payload,
            r#"{{"event_time":{time},"event_type":"{kind}","user_id":"{user:016x}","price":{}.{:02}}}"#,
            price / 100,
            price % 100
        );
    }
}

impl Source for TrafficSource {
    fn poll(
        &mut self,
        _: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        if !self.announced {
            self.announced = true;
            return Ok(PollOutcome::Assigned(vec![0]));
        }
        let Some(position) = self.position else {
            std::thread::sleep(Duration::from_micros(200));
            return Ok(PollOutcome::Idle);
        };
        if self.stops.first() == Some(&position) {
            if self.committed.load(Ordering::Relaxed) < position {
                std::thread::sleep(Duration::from_micros(200));
                return Ok(PollOutcome::Idle);
            }
            self.stops.remove(0);
        }
        if position == self.end {
            // As a kill would: what is measured is over.
            self.stop.request();
            return Err(InputFault::NotSeekable { input: "done".to_owned() }.into());
        }
        let until = self.stops.first().copied().unwrap_or(self.end).min(position + RECORDS_PER_POLL);
        for offset in position..until {
            self.write_event(offset);
            let payload = Some(self.payload.as_bytes());
            each(SourceRecord {
                partition: 0,
                offset,
                key: None,
                payload,
                timestamp_ms: None,
                unreadable_reason: None,
            })?;
        }
        self.position = Some(until);
        Ok(PollOutcome::Records)
    }

    fn resolve_start_offsets(
        &mut self,
        _: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt> {
        Ok(PartitionOffsets::from([(0, positions.get(&0).copied().unwrap_or(0))]))
    }

    fn start_partitions(&mut self, _: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        self.position = starts.get(&0).copied();
        Ok(())
    }

    fn seek_partitions(&mut self, positions: &PartitionOffsets) -> Result<(), Halt> {
        self.start_partitions(&[0], positions)
    }

    fn confirm_ownership(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn pause_partitions(&mut self, _: &[Partition]) {}

    fn resume_partitions(&mut self, _: &[Partition]) {}

    fn release_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, _: CommitWait) -> Result<(), Halt> {
        if let Some(&position) = positions.get(&0) {
            self.committed.store(position, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A bijection whose values look like chance (the finalizer of SplitMix64).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct DiscardingSink;

impl Sink for DiscardingSink {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        std::hint::black_box(row.features().count());
    }

    fn flush(&mut self) -> Result<FlushTicket, Halt> {
        Ok(FlushTicket(0))
    }

    fn acknowledged_ticket(&self) -> FlushTicket {
        FlushTicket(0)
    }

    fn wait_for_ticket(&mut self, _: FlushTicket, _: Duration) -> Result<bool, Halt> {
        Ok(true)
    }
}

fn job(pipeline: &Pipeline) -> JobDefinition {
    let event = &pipeline.event;
    JobDefinition {
        views: pipeline.views.iter().cloned().collect(),
        schema: event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: EventDecoder::new(
            event.format,
            event.schema.clone(),
            &event.time_field,
            event.time_zone.clone(),
            event.max_key_bytes,
        ),
        topic: "events".into(),
        hash_key: [7; 16],
        keys_required: false,
    }
}

fn checkpoints(store: Arc<dyn CheckpointStore>, every: Duration) -> CheckpointConfig {
    let identity =
        StateIdentity { pipeline: "ecommerce".to_owned(), topic: "events".to_owned(), topic_id: None, partitions: 1 };
    CheckpointConfig {
        identity,
        store,
        savepoint_requests: Default::default(),
        fence: Arc::new(NoRowFence),
        topic_check: Arc::new(|| Ok(())),
        interval: every,
        kept_generations: 3,
        restore_source: None,
        droppable_views: Default::default(),
        accepts_added_partitions: false,
        process_name: "bench".to_owned(),
    }
}

/// Runs a worker until its traffic ends; its metrics.
fn run(
    pipeline: &Pipeline,
    users: i64,
    stops: Vec<Offset>,
    end: Offset,
    checkpoints: Option<CheckpointConfig>,
) -> Arc<WorkerMetrics> {
    let stop = StopSignal::default();
    let traffic = TrafficSource::new(users, stops, end, &stop);
    let metrics = WorkerMetrics::new(pipeline.views.len());
    let job = job(pipeline);
    let mut worker = Worker::new(WorkerParts {
        job,
        source: traffic,
        sink: DiscardingSink,
        dead_letters: NoDeadLetterSink,
        clock: SystemClock::shared(),
        checkpoints,
        stop_signal: stop,
        metrics: Arc::clone(&metrics),
    });
    match worker.run() {
        Err(Halt::Input(InputFault::NotSeekable { input })) if input == "done" => {}
        other => println!("ended otherwise: {other:?}"),
    }
    metrics
}

#[allow(clippy::cast_precision_loss)] // shown with one digit behind the point
fn to_megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Size and time of a base, of changes, and of restoring both.
fn measure_state(folder: &Path, users: i64) {
    let pipeline = parse("shipped", SHIPPED_PIPELINE, &[]).expect("the shipped pipeline");
    let stores = ObjectStores::new().expect("a place for stores");
    let store = |name: &str| stores.open(&format!("file:{}/{name}", folder.display())).expect("a directory");
    let full = users * PANES;
    let touched = users / 100;

    let began = Instant::now();
    run(&pipeline, users, vec![full], full, Some(checkpoints(store("first"), Duration::from_secs(5))));
    println!("users {users}, panes per user {PANES}, filled in {:.1} s", began.elapsed().as_secs_f64());

    // In a place of its own everything is written at once.
    let mut own = checkpoints(store("second"), Duration::from_millis(100));
    own.restore_source = Some(RestoreSource { store: store("first") });
    let metrics = run(&pipeline, users, vec![full], full, Some(own));
    let (base, took) = (metrics.checkpoints.added_bytes(), metrics.checkpoints.last_duration());
    println!(
        "base: {:.1} MB, {} bytes a user, complete after {:.2} s",
        to_megabytes(base),
        base / users.unsigned_abs(),
        took.as_secs_f64()
    );

    let changes = checkpoints(store("second"), Duration::from_millis(100));
    let metrics = run(&pipeline, users, vec![full + touched], full + touched, Some(changes));
    let (delta, took) = (metrics.checkpoints.added_bytes(), metrics.checkpoints.last_duration());
    #[allow(clippy::cast_precision_loss)]
    let share = 100.0 * delta as f64 / base as f64;
    println!(
        "changes of {touched} users: {:.2} MB, {share:.2} % of the base, complete after {:.2} s",
        to_megabytes(delta),
        took.as_secs_f64()
    );

    // Another 1 %, while events flow at full speed: pauses of a base and of changes as a worker sees them.
    let busy = checkpoints(store("third"), Duration::from_millis(500));
    let busy = CheckpointConfig { restore_source: Some(RestoreSource { store: store("second") }), ..busy };
    let metrics = run(&pipeline, users, vec![], full + touched + 8 * users, Some(busy));
    println!(
        "longest pause of the worker: {:.1} ms ({} checkpoints under load)",
        metrics.checkpoints.max_pause().as_secs_f64() * 1e3,
        metrics.checkpoints.completed.get()
    );

    for _ in 0..3 {
        let again = checkpoints(store("second"), Duration::from_secs(3_600));
        let metrics = run(&pipeline, users, vec![], full + touched, Some(again));
        let took = metrics.checkpoints.recent_restores().first().expect("restored").duration;
        println!("restored in {:.2} s", took.as_secs_f64());
    }
}

/// Events per second and CPU time with and without checkpoints, in turn.
fn measure_overhead(folder: &Path, users: i64, events: i64, every: Duration, rounds: u32) {
    let pipeline = parse("shipped", SHIPPED_PIPELINE, &[]).expect("the shipped pipeline");
    let stores = ObjectStores::new().expect("a place for stores");
    let (mut with, mut without): (Vec<[f64; 2]>, Vec<[f64; 2]>) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for checkpointing in [true, false] {
            let place = folder.join(format!("round-{round}"));
            let kept = checkpointing.then(|| {
                let store = stores.open(&format!("file:{}", place.display())).expect("a directory");
                checkpoints(store, every)
            });
            let (began, cpu) = (Instant::now(), cpu_seconds());
            let metrics = run(&pipeline, users, vec![], events, kept);
            let wall = began.elapsed().as_secs_f64();
            #[allow(clippy::cast_precision_loss)]
            let figures = [events as f64 / wall, (cpu_seconds() - cpu) / events as f64 * 1e6];
            println!(
                "{} checkpoints: {:.0} events/s, {:.3} µs of CPU per event",
                metrics.checkpoints.completed.get(),
                figures[0],
                figures[1]
            );
            if checkpointing {
                with.push(figures);
            } else {
                without.push(figures);
            }
            drop(std::fs::remove_dir_all(&place));
        }
    }
    let median = |of: &[[f64; 2]], at: usize| {
        let mut sorted: Vec<f64> = of.iter().map(|figures| figures[at]).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    println!(
        "medians: throughput with checkpoints {:.1} % of that without; CPU {:.1} %",
        100.0 * median(&with, 0) / median(&without, 0),
        100.0 * median(&with, 1) / median(&without, 1)
    );
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: i64| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
    let folder = arguments.get(2).map(Path::new);
    match (arguments.get(1).map(String::as_str), folder) {
        (Some("state"), Some(folder)) => measure_state(folder, number(3, 1_000_000)),
        (Some("overhead"), Some(folder)) => {
            let every = Duration::from_millis(number(5, 10_000).unsigned_abs());
            let rounds = u32::try_from(number(6, 5)).expect("a number");
            measure_overhead(folder, number(3, 200_000), number(4, 20_000_000), every, rounds);
        }
        _ => println!("usage: checkpoint_cost state DIR [USERS] | overhead DIR [USERS [EVENTS [EVERY_MS [ROUNDS]]]]"),
    }
}

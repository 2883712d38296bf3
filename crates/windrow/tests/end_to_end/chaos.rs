//! Everything at once, as on users' machines: instances that are killed, suspended, stopped and started again, Redis that
//! fails over to a lagging replica, a checkpoint store that hangs, and faulty producers. In the end Redis holds exactly the
//! rows of a run without faults, each refused record is a dead letter, and each kept checkpoint can be read.
//!
//! The seed decides the events, their flaws, and the moments and kinds of faults; what the processes are doing at these
//! moments differs from run to run. `bench/chaos.sh` is the long form.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windrow_test_support::{HANG_TIMEOUT, wait_until};

use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::rows::await_same_rows;
use crate::support::s3::{TestS3, s3_or_skip};
use crate::support::traffic::{EventFeeder, SeededRandom, read_or_create_seed};
use crate::support::windrow::{TestJob, telling_pipeline};
use crate::topic::read_log;

mod checks;
mod cluster;
mod plan;
mod records;

use checks::ExpectedOutcome;
use cluster::{ChaosCluster, RebalanceProtocol};
use plan::{FaultPlan, INSTANCES, PlanLength};

const PARTITIONS: i32 = 8;
/// Few enough for a small machine.
const EVENTS_PER_S: usize = 400;
/// The events of longer runs are fewer per second, so that they fit into the window of the tally.
const MAX_EVENTS: usize = 480_000;
/// How many checkpoints of a partition are kept: far more than complete while a replica lags.
const KEPT_CHECKPOINTS: usize = 60;

/// Messages of the log that no fault of this test justifies.
const FORBIDDEN_MESSAGES: [&str; 4] = [
    "panicked",
    // Rows are missing.
    "no checkpoint is old enough",
    "a checkpoint cannot be read",
    "Redis refused a row",
];

/// Reads from `WINDROW_CHAOS_MINUTES` how long the faults go on.
fn read_plan_length() -> PlanLength {
    std::env::var("WINDROW_CHAOS_MINUTES").map_or(PlanLength::OneRound, |minutes| {
        let minutes: u64 = minutes.parse().expect("WINDROW_CHAOS_MINUTES is a number");
        PlanLength::Rounds(Duration::from_secs(60 * minutes))
    })
}

/// The topics and places of a run.
struct ChaosPlaces {
    topic: String,
    dead_letter_topic: String,
    /// The address of S3.
    store_address: String,
    checkpoint_store: String,
}

impl ChaosPlaces {
    fn create(kafka: &TestKafka, store_address: String) -> Self {
        Self {
            topic: kafka.create_unique_topic(PARTITIONS, &[]),
            dead_letter_topic: kafka.create_unique_topic(1, &[]),
            store_address,
            checkpoint_store: TestS3::generate_unique_place(),
        }
    }
}

/// Prepares the job, with its checkpoints in S3.
fn define_chaos_job(kafka: &TestKafka, places: &ChaosPlaces, protocol: RebalanceProtocol) -> TestJob {
    let ChaosPlaces { topic, dead_letter_topic, store_address, checkpoint_store } = places;
    let mut job = TestJob::with_redis_of_pipeline(telling_pipeline(), &kafka.brokers, topic);
    for setting in [
        protocol.setting(),
        "source.kafka.on_misplaced=dead_letter",
        "source.kafka.partitioner=murmur2",
        &format!("dead_letters.topic={dead_letter_topic}"),
        &format!("checkpoint.store={checkpoint_store}"),
        "checkpoint.every=1s",
        &format!("checkpoint.keep={KEPT_CHECKPOINTS}"),
    ] {
        job.set_override(setting);
    }
    for (name, value) in [
        ("AWS_ENDPOINT_URL", store_address.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "windrow"),
        ("AWS_SECRET_ACCESS_KEY", "windrow"),
        ("AWS_REGION", "us-east-1"),
    ] {
        job.set_environment(name, value);
    }
    job
}

/// Runs the steps of `plan`, each at its time.
fn run_faults(cluster: &mut ChaosCluster<'_>, plan: &FaultPlan) {
    for planned in &plan.steps {
        while cluster.started_at().elapsed() < planned.at {
            cluster.assert_alive();
            let left = planned.at.saturating_sub(cluster.started_at().elapsed());
            std::thread::sleep(left.min(Duration::from_millis(200)));
        }
        cluster.run_step(planned.step);
    }
}

/// Waits until all records of the topic are committed. Fails if there is no progress for a time.
fn await_end_of_topic(kafka: &TestKafka, topic: &str, group: &str, total: i64, cluster: &mut ChaosCluster<'_>) {
    let (mut committed, mut progressed_at) = (-1, Instant::now());
    while committed < total {
        std::thread::sleep(Duration::from_millis(500));
        cluster.assert_alive();
        let offsets = kafka.committed_offsets(group, topic, PARTITIONS);
        let now: i64 = offsets.iter().sum();
        if now != committed {
            (committed, progressed_at) = (now, Instant::now());
        }
        assert!(progressed_at.elapsed() < HANG_TIMEOUT, "no progress: {committed} of {total} committed: {offsets:?}");
    }
}

/// Prints how often each warning and error occurs in the logs, and asserts that none is forbidden.
fn check_logs(cluster: &ChaosCluster<'_>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for log in cluster.logs() {
        let log_text = read_log(log);
        for line in log_text.lines() {
            let forbidden = FORBIDDEN_MESSAGES.iter().find(|message| line.contains(**message));
            assert!(forbidden.is_none(), "{}: {line}\n{log_text}", log.display());
            let Some((_, message)) = line.split_once(" WARN ").or_else(|| line.split_once("ERROR ")) else { continue };
            // The fields follow the message.
            let words = message.split(' ').take_while(|word| !word.contains('='));
            *counts.entry(words.collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
    }
    println!("warnings and errors:");
    counts.iter().for_each(|(message, count)| println!("{count:6}  {message}"));
}

/// Returns the port of a server at `http://host:port`.
/// `WINDROW_CHAOS_MINUTES` makes it longer and `WINDROW_SEED` repeats the plan; see `bench/chaos.sh`.
#[test]
fn rows_are_those_of_a_run_without_faults() {
    let kafka = kafka_or_skip!();
    let s3 = s3_or_skip!();
    let seed = read_or_create_seed();
    let mut random = SeededRandom::new(seed);
    let plan = FaultPlan::draw(read_plan_length(), &mut random);
    let count = MAX_EVENTS.min(EVENTS_PER_S * usize::try_from(plan.duration().as_secs()).expect("small"));
    let places = ChaosPlaces::create(&kafka, s3.url);
    let topic = &places.topic;
    let records = records::generate_records(&kafka, PARTITIONS, count, seed, &mut random);
    let closing_events = records::generate_closing_events(&kafka, PARTITIONS);
    let protocol = RebalanceProtocol::draw(&mut random);
    println!("{}", protocol.setting());
    let job = define_chaos_job(&kafka, &places, protocol);
    let folder = tempfile::tempdir().expect("a folder");
    println!("{count} records in {PARTITIONS} partitions over {:.0} s", plan.duration().as_secs_f64());

    let mut cluster = ChaosCluster::start(&job, s3.port, folder.path());
    wait_until("all instances read", || cluster.reading_instance_count() == INSTANCES);
    let feeder = EventFeeder::start(&kafka, topic, records, plan.duration());
    // Rows that Redis loses before the first checkpoint could not be written again.
    wait_until("every partition has a checkpoint", || {
        kafka.committed_offsets(&job.group, topic, PARTITIONS).iter().all(|&offset| offset > 0)
    });
    cluster.start_clock();
    run_faults(&mut cluster, &plan);
    feeder.finish_at_once();
    kafka.produce(topic, &closing_events);
    cluster.print_trace_line("all records sent, all faults healed");

    let expected = ExpectedOutcome::compute(&kafka, topic, PARTITIONS, folder.path());
    let total = i64::try_from(count).expect("small") + i64::from(PARTITIONS);
    await_end_of_topic(&kafka, topic, &job.group, total, &mut cluster);
    cluster.print_trace_line("all records read");
    await_same_rows(&expected.rows, cluster.master(), "after all faults");
    cluster.stop_all();
    await_same_rows(&expected.rows, cluster.master(), "after the stop");
    let letters = expected.assert_dead_letters(&kafka, &places.dead_letter_topic);
    check_logs(&cluster);
    let verified = job.run_state_command(&["verify", &format!("{}/telling/{}", places.checkpoint_store, job.group)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    println!("faults: {:?}", plan.fault_counts);
    println!("{} checkpoints can be read", String::from_utf8_lossy(&verified.stdout).lines().count());
    println!(
        "{} rows, {} late events, {letters} dead letters of {} refused records, {} starts, {:.0} s",
        expected.rows.len(),
        expected.late_events,
        expected.refused_count(),
        cluster.logs().count(),
        cluster.started_at().elapsed().as_secs_f64()
    );
}

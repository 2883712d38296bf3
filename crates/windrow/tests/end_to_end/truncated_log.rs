//! Kafka loses records that the job has read: a leader dies, and a follower without the newest records takes its place
//! (unclean election). The log then grows beyond the position of the job, so each lost offset has another record.
//!
//! All cases share one election on two real brokers. Each case has a topic, a Redis and a job of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use windrow_test_support::{HANG_TIMEOUT, wait_until};

use crate::support::expected::closing_events;
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::kafka_pair::KafkaPair;
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::{KeyedRow, parse_keyed_row, rows_match};
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{RunningJob, TestJob, run_replay, telling_pipeline};
use crate::topic::read_log;

/// The number of records that both brokers have.
const SHARED_RECORDS: usize = 1_500;
/// The number of further records that only the first leader has.
const LOST_RECORDS: usize = 600;
/// The number of records that the next leader receives: more than the lost ones.
const LATER_RECORDS: usize = 1_500;
/// `max_out_of_orderness` of the pipeline.
const MAX_OUT_OF_ORDERNESS_MS: i64 = 10_000;

/// The log line of a job that goes back.
const GOES_BACK: &str = "going back to an older checkpoint";
/// The log line of a job that goes back, but has no checkpoint before the lost records.
const BEGINS_ANEW: &str = "no checkpoint begins at an offset that it still holds";
/// The beginning of the log line about a parked partition.
const PARKED: &str = "partition parked because of a fault";

/// What the job does while the leader dies and the log grows again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JobDuringLoss {
    /// It reads on, and sees the log before it has grown.
    Runs,
    /// It is suspended, and sees the log after it has grown.
    Suspended,
    /// It was killed before, and is started when the log has grown.
    Killed,
}

/// Which records Kafka loses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LostRecords {
    None,
    /// The newest checkpoint includes some of them.
    InCheckpoint,
    /// Rows include them, but no checkpoint does.
    BehindCheckpoint,
}

struct LossCase {
    name: &'static str,
    during_loss: JobDuringLoss,
    lost_records: LostRecords,
    settings: &'static [&'static str],
    /// How the log describes the handling of the loss. `None` if no loss must be mentioned.
    expected_log: Option<&'static str>,
}

const EARLIEST: &str = "source.kafka.on_lost_offset=earliest";

const CASES: [LossCase; 8] = [
    LossCase {
        name: "a running job goes back",
        during_loss: JobDuringLoss::Runs,
        lost_records: LostRecords::InCheckpoint,
        settings: &[EARLIEST, "checkpoint.keep=50"],
        expected_log: Some(GOES_BACK),
    },
    LossCase {
        name: "a running job that sees only the grown log goes back",
        during_loss: JobDuringLoss::Suspended,
        lost_records: LostRecords::InCheckpoint,
        settings: &[EARLIEST, "checkpoint.keep=50"],
        expected_log: Some(GOES_BACK),
    },
    LossCase {
        name: "a job without a checkpoint before the loss begins anew",
        during_loss: JobDuringLoss::Suspended,
        lost_records: LostRecords::InCheckpoint,
        settings: &[EARLIEST, "checkpoint.keep=1"],
        expected_log: Some(BEGINS_ANEW),
    },
    LossCase {
        name: "a job goes back at its start",
        during_loss: JobDuringLoss::Killed,
        lost_records: LostRecords::InCheckpoint,
        settings: &[EARLIEST, "checkpoint.keep=50"],
        expected_log: Some(GOES_BACK),
    },
    LossCase {
        name: "a job whose rows include lost records numbers its rows anew",
        during_loss: JobDuringLoss::Killed,
        lost_records: LostRecords::BehindCheckpoint,
        settings: &[EARLIEST, "checkpoint.keep=50"],
        expected_log: Some(GOES_BACK),
    },
    LossCase {
        name: "a partition is parked while the job runs",
        during_loss: JobDuringLoss::Suspended,
        lost_records: LostRecords::InCheckpoint,
        settings: &["checkpoint.keep=50"],
        expected_log: Some(PARKED),
    },
    LossCase {
        name: "a partition is parked when the job starts",
        during_loss: JobDuringLoss::Killed,
        lost_records: LostRecords::BehindCheckpoint,
        settings: &["checkpoint.keep=50"],
        expected_log: Some(PARKED),
    },
    LossCase {
        name: "an election that loses nothing changes nothing",
        during_loss: JobDuringLoss::Runs,
        lost_records: LostRecords::None,
        settings: &[],
        expected_log: None,
    },
];

/// The events of every topic.
struct EventParts {
    shared: Vec<OutgoingRecord>,
    lost: Vec<OutgoingRecord>,
    later: Vec<OutgoingRecord>,
}

/// A job with its topic and Redis.
struct CaseRun {
    case: LossCase,
    topic: String,
    redis: Redis,
    job: TestJob,
    log: PathBuf,
    running: Option<RunningJob>,
    /// The rows that Redis held before the loss.
    rows_before_loss: RowsByKey,
}

impl CaseRun {
    fn prepare(case: LossCase, kafka: &KafkaPair, folder: &std::path::Path) -> Self {
        let (topic, redis) = (kafka.create_topic(), Redis::start());
        let mut job = TestJob::with_pipeline(telling_pipeline(), &kafka.both.brokers, &redis.url(), &topic);
        case.settings.iter().for_each(|setting| job.set_override(setting));
        let log = folder.join(&topic);
        Self { case, topic, redis, job, log, running: None, rows_before_loss: RowsByKey::new() }
    }

    fn start(&mut self, arguments: &[&str]) {
        self.running = Some(self.job.start(&[&["--workers", "1"], arguments].concat(), &self.log));
    }

    fn stop(&mut self) {
        self.running.take().expect("it runs").stop(&self.log);
    }

    fn log_contains(&self, text: &str) -> bool {
        read_log(&self.log).contains(text)
    }

    fn await_committed(&self, kafka: &TestKafka, count: usize) {
        let offset = i64::try_from(count).expect("small");
        wait_until("a checkpoint includes the records", || {
            kafka.committed_offsets(&self.job.group, &self.topic, 1) == [offset]
        });
    }

    /// Lets the job read the records that both brokers have.
    fn read_shared_records(&mut self, kafka: &TestKafka) {
        self.start(&[]);
        self.await_committed(kafka, SHARED_RECORDS);
        if self.case.lost_records == LostRecords::BehindCheckpoint {
            self.stop();
            self.start(&["--set", "checkpoint.every=1h"]);
        }
    }

    /// Waits until the job has written the rows that the lost records cause.
    fn read_lost_records(&mut self, kafka: &TestKafka, lost_rows: &RowHistory) {
        match self.case.lost_records {
            LostRecords::InCheckpoint => self.await_committed(kafka, SHARED_RECORDS + LOST_RECORDS),
            LostRecords::BehindCheckpoint | LostRecords::None => {}
        }
        wait_until("the rows of the lost records are there", || {
            let found = self.redis.read_rows();
            lost_rows.iter().all(|(key, rows)| {
                let last = rows.last().expect("a row");
                found.get(key).is_some_and(|found| rows_match(&last.fields, found))
            })
        });
        self.rows_before_loss = self.redis.read_rows();
    }

    fn leave_before_loss(&mut self) {
        match self.case.during_loss {
            JobDuringLoss::Runs => {}
            JobDuringLoss::Suspended => self.running.as_ref().expect("it runs").send_signal("-STOP"),
            JobDuringLoss::Killed => self.running.take().expect("it runs").kill(),
        }
    }

    fn continue_after_growth(&mut self) {
        match self.case.during_loss {
            JobDuringLoss::Runs => {}
            JobDuringLoss::Suspended => self.running.as_ref().expect("it runs").send_signal("-CONT"),
            JobDuringLoss::Killed => self.start(&[]),
        }
    }

    /// Asserts that the job says what was lost and writes nothing, until the operator accepts the loss.
    fn accept_loss_of_parked_partition(&mut self) {
        let name = self.case.name;
        wait_until("the partition is parked", || self.log_contains(PARKED));
        self.stop();
        let log = read_log(&self.log);
        // The partition is longer than that by now.
        let loss = format!(
            " of partition 0 of topic `{}`, but of the records that were already read, the partition holds only those \
             before offset {SHARED_RECORDS}",
            self.topic
        );
        assert!(log.contains(&loss), "{name}: {log}");
        assert_eq!(self.redis.read_rows(), self.rows_before_loss, "{name}: a parked partition writes nothing");

        let output = self.job.run_to_end(&["--workers", "1", "--set", "source.kafka.on_partition_fault=halt"]);
        let halted = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{name}: {halted}");
        assert!(halted.contains(&loss), "{name}: {halted}");
        assert_eq!(self.redis.read_rows(), self.rows_before_loss, "{name}: a halted job writes nothing");
        self.job.set_override(EARLIEST);
        self.start(&[]);
    }
}

/// The rows of each key in the order of writing.
type RowHistory = BTreeMap<String, Vec<KeyedRow>>;

/// Replays `records`. Omits the rows of windows that end after `watermark_ms`, and those of the closing event.
fn replay_rows(records: &[OutgoingRecord], watermark_ms: i64) -> RowHistory {
    let payloads: Vec<Vec<u8>> = records.iter().map(|record| record.payload.clone().unwrap_or_default()).collect();
    let mut history = RowHistory::new();
    let replayed = run_replay(&telling_pipeline(), &payloads);
    for row in replayed.lines().filter_map(parse_keyed_row) {
        if row.window_end - 1 <= watermark_ms && !row.key.contains(":closing") {
            history.entry(row.key.clone()).or_default().push(row);
        }
    }
    history
}

/// Returns the watermark after `records`.
fn watermark_after(records: &[OutgoingRecord]) -> i64 {
    let payloads = records.iter().filter_map(|record| record.payload.as_deref());
    let events = payloads.filter_map(|payload| serde_json::from_slice::<Value>(payload).ok());
    let latest = events.filter_map(|event| event["at"].as_i64()).max().expect("an event");
    latest - MAX_OUT_OF_ORDERNESS_MS - 1
}

/// What Redis may hold in the end, as docs/faults.md says in row 32.
struct ExpectedAfterLoss<'a> {
    /// The rows of the records that Kafka holds.
    expected: RowHistory,
    /// The rows that were written because of lost records.
    lost: &'a RowHistory,
    /// The watermark after the records that were not lost.
    shared_watermark_ms: i64,
}

impl ExpectedAfterLoss<'_> {
    /// Describes each row of `found` that is neither right nor a row of lost records that no later row has replaced.
    fn find_wrong_rows(&self, found: &RowsByKey) -> Vec<String> {
        let is_lost_row = |key: &str| {
            let mut rows = self.lost.get(key).into_iter().flatten();
            rows.any(|row| found.get(key).is_some_and(|found| rows_match(&row.fields, found)))
        };
        let mut wrong = Vec::new();
        for (key, rows) in &self.expected {
            let last = rows.last().expect("a row");
            let is_right = found.get(key).is_some_and(|found| rows_match(&last.fields, found));
            // Rows of windows that ended later were written after the loss.
            let may_be_lost_row = last.window_end - 1 <= self.shared_watermark_ms;
            if !(is_right || may_be_lost_row && is_lost_row(key)) {
                wrong.push(format!("{key}: expected {:?}, found {:?}", last.fields, found.get(key)));
            }
        }
        for (key, row) in found.iter().filter(|(key, _)| !key.contains(":closing")) {
            if !self.expected.contains_key(key) && !is_lost_row(key) {
                wrong.push(format!("{key}: not expected: {row:?}"));
            }
        }
        wrong
    }

    fn await_rows(&self, run: &CaseRun) {
        let deadline = Instant::now() + HANG_TIMEOUT;
        loop {
            let wrong = self.find_wrong_rows(&run.redis.read_rows());
            if wrong.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{}: {}\n{}", run.case.name, wrong.join("\n"), read_log(&run.log));
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
}

/// Reads the records of a topic.
fn read_records(kafka: &TestKafka, topic: &str) -> Vec<OutgoingRecord> {
    let read = kafka.read_partition(topic, 0);
    read.into_iter().map(|record| OutgoingRecord { payload: record.payload, ..OutgoingRecord::default() }).collect()
}

fn count_records_before_difference(first: &[OutgoingRecord], second: &[OutgoingRecord]) -> usize {
    first.iter().zip(second).take_while(|(one, other)| one.payload == other.payload).count()
}

#[test]
fn records_that_an_unclean_election_loses_count_nowhere() {
    kafka_or_skip!();
    let folder = tempfile::tempdir().expect("a folder");
    let mut events = generate_events(SHARED_RECORDS + LOST_RECORDS + LATER_RECORDS, read_or_create_seed());
    let later = [events.split_off(SHARED_RECORDS + LOST_RECORDS), closing_events(1)].concat();
    let lost = events.split_off(SHARED_RECORDS);
    let parts = EventParts { shared: events, lost, later };
    let before_loss = [&parts.shared[..], &parts.lost].concat();
    let shared_watermark_ms = watermark_after(&parts.shared);
    let mut lost_rows = replay_rows(&before_loss, watermark_after(&before_loss));
    lost_rows.values_mut().for_each(|rows| rows.retain(|row| row.window_end - 1 > shared_watermark_ms));
    lost_rows.retain(|_, rows| !rows.is_empty());
    assert!(!lost_rows.is_empty(), "the lost records end no window");

    let kafka = KafkaPair::start();
    let mut runs: Vec<CaseRun> = CASES.into_iter().map(|case| CaseRun::prepare(case, &kafka, folder.path())).collect();
    let topics: Vec<String> = runs.iter().map(|run| run.topic.clone()).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    for run in &mut runs {
        kafka.both.produce(&run.topic, &parts.shared);
        run.read_shared_records(&kafka.both);
    }
    kafka.await_replication(&topics);
    kafka.hold_replication();
    for run in &mut runs {
        if run.case.lost_records != LostRecords::None {
            kafka.both.produce(&run.topic, &parts.lost);
            wait_until("the follower is not in sync", || kafka.has_only_leader_in_sync(&run.topic));
            run.read_lost_records(&kafka.both, &lost_rows);
        }
    }
    runs.iter_mut().for_each(CaseRun::leave_before_loss);

    let remaining = kafka.elect_follower(&topics);
    for run in &mut runs {
        let log_length = read_records(remaining, &run.topic).len();
        assert_eq!(log_length, SHARED_RECORDS, "{}: the next leader has all shared records alone", run.case.name);
        if run.case.during_loss == JobDuringLoss::Runs
            && let Some(expected_log) = run.case.expected_log
        {
            wait_until("the running job notices the loss", || run.log_contains(expected_log));
        }
        remaining.produce(&run.topic, &parts.later);
    }
    runs.iter_mut().for_each(CaseRun::continue_after_growth);
    for run in &mut runs {
        if run.case.expected_log == Some(PARKED) {
            run.accept_loss_of_parked_partition();
        }
    }
    let no_rows = RowHistory::new();
    for mut run in runs {
        let records = read_records(remaining, &run.topic);
        assert_eq!(count_records_before_difference(&records, &before_loss), SHARED_RECORDS);
        let no_lost_rows = run.case.lost_records == LostRecords::None;
        let after_loss = ExpectedAfterLoss {
            expected: replay_rows(&records, i64::MAX),
            lost: if no_lost_rows { &no_rows } else { &lost_rows },
            shared_watermark_ms,
        };
        after_loss.await_rows(&run);
        run.stop();
        after_loss.await_rows(&run);
        let log = read_log(&run.log);
        match run.case.expected_log {
            Some(PARKED) => assert!(log.contains(GOES_BACK), "{}: {log}", run.case.name),
            Some(expected) => assert!(log.contains(expected), "{}: {log}", run.case.name),
            None => assert!(!log.contains("source has lost"), "{}: {log}", run.case.name),
        }
        println!("passed: {}", run.case.name);
    }
}

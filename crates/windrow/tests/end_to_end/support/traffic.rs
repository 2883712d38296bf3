//! A steady stream of events for tests that disturb a job.
//!
//! The events are generated with a seed. Each has its event time and a unique number as fields, from which `telling.toml`
//! computes features. All events are in one window of its tally, which the closing events of [`super::expected`] close.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::kafka::{OutgoingRecord, TestKafka};
use super::windrow::run_generate;
pub(crate) use crate::seeded_random::{SeededRandom, read_or_create_seed};

/// Generates `count` events of 200 users, 2.4 s apart, some out of order, late or malformed.
pub(crate) fn generate_events(count: usize, seed: u64) -> Vec<OutgoingRecord> {
    let (text, seed) = (count.to_string(), seed.to_string());
    let backlog_s = count * 12 / 5;
    assert!(backlog_s < 14 * 86_400, "they would not fit into the tally's window");
    let backlog = format!("{backlog_s}s");
    let flags = ["--count", &text, "--users", "200", "--backlog", &backlog, "--seed", &seed];
    let lines = run_generate(&[&flags[..], &["--disorder", "9s", "--late", "2", "--malformed", "1"]].concat());
    lines.into_iter().zip(0_u64..).map(|(line, number)| add_number_and_time(line, number)).collect()
}

fn add_number_and_time(line: Vec<u8>, number: u64) -> OutgoingRecord {
    let mut event: Value = serde_json::from_slice(&line).unwrap_or_default();
    // A malformed record may have any key.
    let key = event["user_id"].as_str().unwrap_or("malformed").to_owned().into_bytes();
    let time = event["event_time"].as_str().and_then(|time| time.parse::<jiff::civil::DateTime>().ok());
    let payload = match (time, event.as_object_mut()) {
        (Some(time), Some(members)) => {
            let at = time.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp().as_millisecond();
            members.insert("at".to_owned(), at.into());
            members.insert("number".to_owned(), number.into());
            event.to_string().into_bytes()
        }
        _ => line,
    };
    OutgoingRecord { partition: None, key: Some(key), payload: Some(payload), ..OutgoingRecord::default() }
}

/// Time between two batches of events.
const SEND_INTERVAL: Duration = Duration::from_millis(50);

/// Returns the keys of the rows of `view` for the users in `events`.
pub(crate) fn row_keys(view: &str, events: &[OutgoingRecord]) -> BTreeSet<String> {
    let users = events.iter().filter_map(|event| event.key.as_deref());
    users.map(|user| format!("{view}:{}", String::from_utf8_lossy(user))).collect()
}

/// A thread that sends events at a steady rate.
pub(crate) struct EventFeeder {
    thread: Option<JoinHandle<()>>,
    send_at_once: Arc<AtomicBool>,
}

impl EventFeeder {
    /// Starts to send `events`, spread over about `time`.
    pub(crate) fn start(kafka: &TestKafka, topic: &str, events: Vec<OutgoingRecord>, time: Duration) -> Self {
        let (producer, topic) = (kafka.create_producer(&[]), topic.to_owned());
        let send_at_once = Arc::new(AtomicBool::new(false));
        let hurried = Arc::clone(&send_at_once);
        let pieces = u32::try_from(time.as_millis() / SEND_INTERVAL.as_millis()).expect("small").max(1);
        let piece = events.len().div_ceil(pieces as usize).max(1);
        let thread = std::thread::spawn(move || {
            let mut due = Instant::now();
            for piece in events.chunks(piece) {
                producer.enqueue_records(&topic, piece);
                due += SEND_INTERVAL;
                while Instant::now() < due && !hurried.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            producer.flush();
        });
        Self { thread: Some(thread), send_at_once }
    }

    /// Sends the remaining events at once and waits for Kafka.
    pub(crate) fn finish_at_once(mut self) {
        self.send_at_once.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("everything is sent");
        }
    }
}

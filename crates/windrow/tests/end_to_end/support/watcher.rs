//! A thread that reads rows from Redis continuously, as a model would, and records each change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::expected::ExpectedRows;
use super::redis::Redis;
use super::rows::{RowFields, rows_match};

/// Time between two reads.
const READ_INTERVAL: Duration = Duration::from_micros(500);

/// The rows read from every key, without repetitions.
type SeenRows = BTreeMap<String, Vec<RowFields>>;

/// A thread that reads some keys.
pub(crate) struct RowWatcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(SeenRows, usize)>,
}

impl RowWatcher {
    /// Starts to read `keys`.
    pub(crate) fn start(redis: &Redis, keys: impl IntoIterator<Item = String>) -> Self {
        let mut connection = redis.connect();
        let keys: Vec<String> = keys.into_iter().collect();
        let stop = Arc::new(AtomicBool::new(false));
        let asked_to_end = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut seen, mut looks) = (SeenRows::new(), 0);
            let mut question = redis::pipe();
            for key in &keys {
                question.cmd("HGETALL").arg(key);
            }
            while !asked_to_end.load(Ordering::Relaxed) {
                let answers: Vec<RowFields> = question.query(&mut connection).expect("Redis answers");
                looks += 1;
                for (key, row) in keys.iter().zip(answers).filter(|(_, row)| !row.is_empty()) {
                    let rows = seen.entry(key.clone()).or_default();
                    if rows.last() != Some(&row) {
                        rows.push(row);
                    }
                }
                std::thread::sleep(READ_INTERVAL);
            }
            (seen, looks)
        });
        Self { stop, thread }
    }

    /// Asserts that every key held only rows of an uninterrupted run, in the same order, and that `latest` never decreased.
    /// Equal rows cannot be distinguished. Returns the number of different rows.
    pub(crate) fn assert_rows_never_went_back(self, expected: &ExpectedRows) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let (seen, looks) = self.thread.join().expect("the reader works");
        let mut rows = 0;
        for (key, seen) in &seen {
            let nothing = Vec::new();
            let mut sequence = expected.sequences.get(key).unwrap_or(&nothing).iter();
            for (index, row) in seen.iter().enumerate() {
                assert!(
                    sequence.any(|expected| rows_match(expected, row)),
                    "{key}: a row went back, or is in no uninterrupted run: {row:?}\nbefore it: {:?}\nall rows of an uninterrupted run:\n{}",
                    &seen[..index],
                    expected
                        .sequences
                        .get(key)
                        .map(|rows| rows.iter().map(|row| format!("  {row:?}\n")).collect::<String>())
                        .unwrap_or_default(),
                );
            }
            let latest: Vec<i64> =
                seen.iter().filter_map(|row| row.get("latest")).map(|at| at.parse().expect("a time")).collect();
            assert!(latest.is_sorted(), "{key} went back in event time: {latest:?}");
            rows += seen.len();
        }
        println!("the reader looked {looks} times and saw {rows} rows under {} keys", seen.len());
        rows
    }
}

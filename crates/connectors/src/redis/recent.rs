//! The rows that were written lately, for people.
//!
//! Owns: batches that Redis has acknowledged, as they were sent; reading rows back from them when somebody asks. Does not
//! own: what is in Redis now ([`super::read_features`]).
//! Invariants: (1) no row is copied to remember it; (2) what is remembered never exceeds [`super::RECENT_BYTES`];
//! (3) whoever asks holds the writer up for no longer than it takes to copy a list of pointers.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use windrow_core::ViewId;

use super::RECENT_BYTES;
use super::batch::{InFlightBatch, RowBatch};

/// A row as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenRow {
    /// When Redis acknowledged it, in epoch milliseconds of the wall clock.
    pub acknowledged_at_ms: i64,
    /// Its view.
    pub view: ViewId,
    /// Its key.
    pub redis_key: String,
    /// Its fields with their values: the entity first, then the features that are not NULL.
    pub fields: Vec<(String, String)>,
    /// Its time to live, in milliseconds.
    pub ttl_ms: i64,
}

/// The rows that were written lately. A handle: clones show the same rows.
#[derive(Clone, Default)]
pub struct RecentRows(Arc<Mutex<RecentBatches>>);

#[derive(Default)]
struct RecentBatches {
    /// Oldest first.
    batches: VecDeque<Arc<RecentBatch>>,
    bytes: usize,
}

struct RecentBatch {
    acknowledged_at_ms: i64,
    batch: RowBatch,
    /// Positions of rows that are not in Redis, ascending.
    unwritten_rows: Vec<usize>,
}

impl RecentRows {
    /// The newest `limit` rows, newest first: of the entity `user` where there is one. A row may have taken the place of
    /// another since.
    #[must_use]
    pub fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        let batches: Vec<_> = self.0.lock().batches.iter().rev().cloned().collect();
        batches.iter().flat_map(|remembered| remembered.rows(user)).take(limit).collect()
    }

    /// Remembers the rows of `flight`, all but those at the positions `missing`, which ascend.
    pub(super) fn remember_batch(&self, flight: InFlightBatch, missing: &[usize], at_ms: i64) {
        let mut first = 0;
        let mut memory = self.0.lock();
        for mut batch in flight.into_batches() {
            let next = first + batch.rows.len();
            let own = missing.iter().filter(|&&row| (first..next).contains(&row)).map(|row| row - first).collect();
            first = next;
            batch.triggered_rows = Vec::new();
            let bytes = batch.allocated_bytes() + size_of::<RecentBatch>();
            if bytes > RECENT_BYTES || batch.rows.is_empty() {
                continue;
            }
            memory.bytes += bytes;
            memory.batches.push_back(Arc::new(RecentBatch { acknowledged_at_ms: at_ms, batch, unwritten_rows: own }));
            while memory.bytes > RECENT_BYTES
                && let Some(oldest) = memory.batches.pop_front()
            {
                memory.bytes -= oldest.batch.allocated_bytes() + size_of::<RecentBatch>();
            }
        }
    }
}

impl RecentBatch {
    /// Newest first.
    fn rows<'a>(&'a self, user: Option<&'a str>) -> impl Iterator<Item = WrittenRow> + 'a {
        let rows: Vec<_> = self.batch.rows_with_views().enumerate().collect();
        rows.into_iter().rev().filter_map(move |(row, (span, view))| {
            if self.unwritten_rows.binary_search(&row).is_ok() {
                return None;
            }
            let mut words = CommandParser(&self.batch.bytes[span.commands_range.clone()]);
            let hset = words.next_command()?;
            let (redis_key, values) = hset.get(1).zip(hset.get(2..))?;
            if user.is_some_and(|user| values.get(1) != Some(&user.as_bytes())) {
                return None;
            }
            let fields = values.chunks_exact(2).map(|pair| (to_lossy_text(pair[0]), to_lossy_text(pair[1]))).collect();
            let mut last = words.next_command()?;
            while let Some(next) = words.next_command() {
                last = next;
            }
            let ttl_ms = last.last().and_then(|ttl| std::str::from_utf8(ttl).ok()?.parse().ok())?;
            Some(WrittenRow {
                acknowledged_at_ms: self.acknowledged_at_ms,
                view,
                redis_key: to_lossy_text(redis_key),
                fields,
                ttl_ms,
            })
        })
    }
}

fn to_lossy_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads commands back from what was sent.
struct CommandParser<'a>(&'a [u8]);

impl<'a> CommandParser<'a> {
    /// The next command with its arguments.
    fn next_command(&mut self) -> Option<Vec<&'a [u8]>> {
        let count = self.next_length(b'*')?;
        (0..count).map(|_| self.next_bulk_string()).collect()
    }

    fn next_bulk_string(&mut self) -> Option<&'a [u8]> {
        let length = self.next_length(b'$')?;
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.strip_prefix(b"\r\n")?;
        Some(word)
    }

    fn next_length(&mut self, mark: u8) -> Option<usize> {
        let rest = self.0.strip_prefix(&[mark])?;
        let end = memchr::memchr(b'\r', rest)?;
        self.0 = rest.get(end + 2..)?;
        std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
    }
}

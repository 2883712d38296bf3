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
use super::batch::{Batch, Flight};

/// A row as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenRow {
    /// When Redis acknowledged it, in epoch milliseconds of the wall clock.
    pub at_ms: i64,
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
pub struct RecentRows(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    /// Oldest first.
    batches: VecDeque<Arc<Remembered>>,
    bytes: usize,
}

struct Remembered {
    at_ms: i64,
    batch: Batch,
    /// Positions of rows that are not in Redis, ascending.
    missing: Vec<usize>,
}

impl RecentRows {
    /// The newest `limit` rows, newest first: of the entity `user` where there is one. A row may have taken the place of
    /// another since.
    #[must_use]
    pub fn newest(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        let batches: Vec<_> = self.0.lock().batches.iter().rev().cloned().collect();
        batches.iter().flat_map(|remembered| remembered.rows(user)).take(limit).collect()
    }

    /// Remembers the rows of `flight`, all but those at the positions `missing`, which ascend.
    pub(super) fn keep(&self, flight: Flight, missing: &[usize], at_ms: i64) {
        let mut first = 0;
        let mut memory = self.0.lock();
        for mut batch in flight.into_batches() {
            let next = first + batch.rows.len();
            let own = missing.iter().filter(|&&row| (first..next).contains(&row)).map(|row| row - first).collect();
            first = next;
            batch.dues = Vec::new();
            let bytes = batch.room() + size_of::<Remembered>();
            if bytes > RECENT_BYTES || batch.rows.is_empty() {
                continue;
            }
            memory.bytes += bytes;
            memory.batches.push_back(Arc::new(Remembered { at_ms, batch, missing: own }));
            while memory.bytes > RECENT_BYTES
                && let Some(oldest) = memory.batches.pop_front()
            {
                memory.bytes -= oldest.batch.room() + size_of::<Remembered>();
            }
        }
    }
}

impl Remembered {
    /// Newest first.
    fn rows<'a>(&'a self, user: Option<&'a str>) -> impl Iterator<Item = WrittenRow> + 'a {
        let rows: Vec<_> = self.batch.views().enumerate().collect();
        rows.into_iter().rev().filter_map(move |(row, (span, view))| {
            if self.missing.binary_search(&row).is_ok() {
                return None;
            }
            let mut words = Words(&self.batch.bytes[span.commands.clone()]);
            let hset = words.command()?;
            let (redis_key, values) = hset.get(1).zip(hset.get(2..))?;
            if user.is_some_and(|user| values.get(1) != Some(&user.as_bytes())) {
                return None;
            }
            let fields = values.chunks_exact(2).map(|pair| (text(pair[0]), text(pair[1]))).collect();
            let mut last = words.command()?;
            while let Some(next) = words.command() {
                last = next;
            }
            let ttl_ms = last.last().and_then(|ttl| std::str::from_utf8(ttl).ok()?.parse().ok())?;
            Some(WrittenRow { at_ms: self.at_ms, view, redis_key: text(redis_key), fields, ttl_ms })
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads commands back from what was sent.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The next command with its arguments.
    fn command(&mut self) -> Option<Vec<&'a [u8]>> {
        let count = self.length(b'*')?;
        (0..count).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        let length = self.length(b'$')?;
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.strip_prefix(b"\r\n")?;
        Some(word)
    }

    fn length(&mut self, mark: u8) -> Option<usize> {
        let rest = self.0.strip_prefix(&[mark])?;
        let end = memchr::memchr(b'\r', rest)?;
        self.0 = rest.get(end + 2..)?;
        std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
    }
}

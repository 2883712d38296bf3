//! The newest rows that were written, for pages.
//!
//! Owns: batches that Redis has acknowledged, as they were sent, and decoding rows from them on request. Does not own:
//! what Redis holds now ([`read_features`](crate::redis::read_features)).
//! Invariants: (1) no row is copied in order to keep it; (2) what is kept never exceeds [`RECENT_BYTES`]; (3) a request
//! blocks the writer only while a list of pointers is copied.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use windrow_core::ViewId;

use crate::redis::rows::batch::{InFlightBatch, RowBatch};
use crate::redis::settings::RECENT_BYTES;
use crate::redis::wire::CommandParser;

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

/// The newest written rows. Clones show the same rows.
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
    refused_rows: Vec<usize>,
}

impl RecentRows {
    /// Returns the newest `limit` rows, newest first; only those of the entity `user` where there is one. A row may have
    /// been replaced by a newer one since.
    #[must_use]
    pub fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        let batches: Vec<_> = self.0.lock().batches.iter().rev().cloned().collect();
        batches.iter().flat_map(|recent| recent.decode_rows(user)).take(limit).collect()
    }

    /// Keeps the rows of `in_flight`, all but those at the positions `refused`, which ascend.
    pub(crate) fn keep_batch(&self, in_flight: InFlightBatch, refused: &[usize], acknowledged_at_ms: i64) {
        let mut first = 0;
        let mut recent = self.0.lock();
        for batch in in_flight.into_row_batches() {
            let next = first + batch.row_count();
            let in_batch = refused.iter().filter(|&&row| (first..next).contains(&row));
            let refused_rows = in_batch.map(|row| row - first).collect();
            first = next;
            let bytes = batch.allocated_bytes() + size_of::<RecentBatch>();
            if bytes > RECENT_BYTES || batch.row_count() == 0 {
                continue;
            }
            recent.bytes += bytes;
            recent.batches.push_back(Arc::new(RecentBatch { acknowledged_at_ms, batch, refused_rows }));
            while recent.bytes > RECENT_BYTES
                && let Some(oldest) = recent.batches.pop_front()
            {
                recent.bytes -= oldest.batch.allocated_bytes() + size_of::<RecentBatch>();
            }
        }
    }
}

impl RecentBatch {
    /// Decodes the rows, newest first.
    fn decode_rows<'a>(&'a self, user: Option<&'a str>) -> impl Iterator<Item = WrittenRow> + 'a {
        let rows: Vec<_> = self.batch.rows_with_runs().enumerate().collect();
        rows.into_iter().rev().filter_map(move |(position, (row, run))| {
            if self.refused_rows.binary_search(&position).is_ok() {
                return None;
            }
            let mut commands = CommandParser::new(self.batch.row_commands(row));
            let hset = commands.next_command()?;
            let (redis_key, values) = hset.get(1).zip(hset.get(2..))?;
            if user.is_some_and(|user| values.get(1) != Some(&user.as_bytes())) {
                return None;
            }
            let fields = values.chunks_exact(2).map(|pair| (to_lossy_text(pair[0]), to_lossy_text(pair[1]))).collect();
            let mut last = commands.next_command()?;
            while let Some(next) = commands.next_command() {
                last = next;
            }
            let ttl_ms = last.last().and_then(|ttl| std::str::from_utf8(ttl).ok()?.parse().ok())?;
            let (acknowledged_at_ms, redis_key) = (self.acknowledged_at_ms, to_lossy_text(redis_key));
            Some(WrittenRow { acknowledged_at_ms, view: run.view, redis_key, fields, ttl_ms })
        })
    }
}

fn to_lossy_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! The newest written rows, for pages.
//!
//! Owns: batches that Redis has acknowledged, and decoding rows from these batches on request. Does not own: the rows
//! that Redis holds now ([`read_features`](crate::redis::read_features)). Invariants: (1) Keeping a row does not copy
//! its bytes. (2) The kept batches take at most [`MAX_RECENT_ROWS_BYTES`] bytes. (3) A request for rows blocks the
//! writer only while a list of pointers is copied.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::memmem::Finder;
use parking_lot::Mutex;
use redis::Parser;
use windrow_core::ViewId;

use crate::redis::rows::batch::{InFlightBatch, RowBatch};
use crate::redis::settings::MAX_RECENT_ROWS_BYTES;

/// A row that Redis has acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenRow {
    /// The time of the acknowledgement, in epoch milliseconds of the wall clock.
    pub acknowledged_at_ms: i64,
    /// The view of the row.
    pub view: ViewId,
    /// The key of the row in Redis.
    pub redis_key: String,
    /// The fields with their values: the entity key first, then the features that are not NULL.
    pub field_values: Vec<(String, String)>,
    /// The time to live of the row, in milliseconds.
    pub ttl_ms: i64,
}

/// The newest written rows. All clones share the same rows.
#[derive(Clone, Default)]
pub struct RecentRows(Arc<Mutex<RecentBatchBuffer>>);

#[derive(Default)]
struct RecentBatchBuffer {
    /// The batches, oldest first.
    batches: VecDeque<Arc<RecentBatch>>,
    total_bytes: usize,
}

struct RecentBatch {
    acknowledged_at_ms: i64,
    batch: RowBatch,
    /// The positions of the refused rows in `batch`, in ascending order.
    refused_row_positions: Vec<usize>,
}

impl RecentRows {
    /// Returns at most `limit` rows, newest first. If `entity_key` is set, returns only rows of that entity. Redis may
    /// already hold a newer row at the key of a returned row.
    #[must_use]
    pub fn newest_rows(&self, limit: usize, entity_key: Option<&str>) -> Vec<WrittenRow> {
        let batches: Vec<_> = self.0.lock().batches.iter().rev().cloned().collect();
        let finder = entity_key.map(Finder::new);
        batches.iter().flat_map(|recent| recent.decode_rows_newest_first(finder.as_ref())).take(limit).collect()
    }

    /// Keeps the rows of `in_flight`, except the refused rows. `refused` contains the positions of the refused rows in
    /// ascending order.
    pub(crate) fn keep_batch(&self, in_flight: InFlightBatch, refused: &[usize], acknowledged_at_ms: i64) {
        let mut first = 0;
        let mut recent = self.0.lock();
        for batch in in_flight.into_row_batches() {
            let next = first + batch.row_count();
            let in_batch = refused.iter().filter(|&&row| (first..next).contains(&row));
            let refused_rows = in_batch.map(|row| row - first).collect();
            first = next;
            let bytes = batch.allocated_bytes() + size_of::<RecentBatch>();
            if bytes > MAX_RECENT_ROWS_BYTES || batch.row_count() == 0 {
                continue;
            }
            recent.total_bytes += bytes;
            recent.batches.push_back(Arc::new(RecentBatch {
                acknowledged_at_ms,
                batch,
                refused_row_positions: refused_rows,
            }));
            while recent.total_bytes > MAX_RECENT_ROWS_BYTES
                && let Some(oldest) = recent.batches.pop_front()
            {
                recent.total_bytes -= oldest.batch.allocated_bytes() + size_of::<RecentBatch>();
            }
        }
    }
}

impl RecentBatch {
    /// Decodes the rows, newest first. If `key_finder` is set, decodes only rows of the entity whose key it finds.
    fn decode_rows_newest_first<'a>(
        &'a self,
        key_finder: Option<&'a Finder<'_>>,
    ) -> impl Iterator<Item = WrittenRow> + 'a {
        let rows: Vec<_> = self.batch.rows_with_runs().enumerate().collect();
        rows.into_iter().rev().filter_map(move |(position, (row, run))| {
            if self.refused_row_positions.binary_search(&position).is_ok() {
                return None;
            }
            let encoded = self.batch.row_commands(row);
            // Parsing a row takes some 70 times as long as this search (measured).
            if key_finder.is_some_and(|finder| finder.find(encoded).is_none()) {
                return None;
            }
            let mut commands = parse_commands(encoded);
            let hset = commands.next()?;
            let [_, redis_key, values @ ..] = hset.as_slice() else { return None };
            if key_finder.is_some_and(|finder| values.get(1).is_none_or(|key| key != finder.needle())) {
                return None;
            }
            let field_values =
                values.chunks_exact(2).map(|pair| (decode_utf8_lossy(&pair[0]), decode_utf8_lossy(&pair[1]))).collect();
            let pexpire = commands.filter(|command| command.first().is_some_and(|name| name == b"PEXPIRE")).last()?;
            let ttl_ms = std::str::from_utf8(pexpire.last()?).ok()?.parse().ok()?;
            let (acknowledged_at_ms, redis_key) = (self.acknowledged_at_ms, decode_utf8_lossy(redis_key));
            Some(WrittenRow { acknowledged_at_ms, view: run.view, redis_key, field_values, ttl_ms })
        })
    }
}

/// Returns the name and the arguments of each command in `encoded`. Ends early if the bytes are not a command.
fn parse_commands(mut encoded: &[u8]) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let mut parser = Parser::new();
    std::iter::from_fn(move || redis::from_redis_value(parser.parse_value(&mut encoded).ok()?).ok())
}

fn decode_utf8_lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! How fresh rows are when Redis has them.
//!
//! Counted once for all rows that follow each other and are due to the same record, so that a window of many users costs
//! no more than one of few.

use std::time::{SystemTime, UNIX_EPOCH};

use windrow_engine::{Cause, Histogram};

use super::batch::{Due, Flight};

/// For each row that arrived: how long ago the record was, whose arrival made its window fire. Rows that the end of bounded
/// input fired do not count.
#[derive(Default, Debug)]
pub struct Freshness {
    /// Since the record's event time.
    pub event_time: Histogram,
    /// Since the record's timestamp in Kafka.
    pub append: Histogram,
}

impl Freshness {
    /// The rows of `flight` have arrived, all but those at the positions `missing`, which ascend.
    pub(super) fn arrived(&self, flight: &Flight, missing: &[usize], now_ms: i64) {
        let mut missing = missing.iter().copied().peekable();
        let mut row = 0;
        for &Due { cause, rows } in flight.batches.iter().flat_map(|sealed| &sealed.batch.dues) {
            row += rows;
            let mut arrived = rows as u64;
            while missing.next_if(|&missing| missing < row).is_some() {
                arrived -= 1;
            }
            let Some(Cause { event_ms, appended_ms }) = cause.filter(|_| arrived > 0) else { continue };
            self.event_time.observe(now_ms.saturating_sub(event_ms), arrived);
            if let Some(appended_ms) = appended_ms {
                self.append.observe(now_ms.saturating_sub(appended_ms), arrived);
            }
        }
    }
}

/// The wall clock, in epoch milliseconds.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

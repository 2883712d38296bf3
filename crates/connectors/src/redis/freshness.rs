//! How fresh rows are when Redis has them.
//!
//! Counted once for all rows that follow each other and are due to the same record, so that a window of many users costs
//! no more than one of few.

use std::time::{SystemTime, UNIX_EPOCH};

use windrow_engine::{Histogram, TriggerRecord};

use super::batch::{InFlightBatch, TriggeredRows};

/// For each row that arrived: how long ago the record was, whose arrival made its window fire. Rows that the end of bounded
/// input fired do not count.
#[derive(Default, Debug)]
pub struct RowFreshness {
    /// Since the record's event time.
    pub since_event_time: Histogram,
    /// Since the record's timestamp in Kafka.
    pub since_append: Histogram,
}

impl RowFreshness {
    /// The rows of `flight` have arrived, all but those at the positions `missing`, which ascend.
    pub(super) fn observe_batch(&self, flight: &InFlightBatch, missing: &[usize], now_ms: i64) {
        let mut missing = missing.iter().copied().peekable();
        let mut row = 0;
        for &TriggeredRows { trigger: cause, row_count: rows } in
            flight.batches.iter().flat_map(|sealed| &sealed.batch.triggered_rows)
        {
            row += rows;
            let mut arrived = rows as u64;
            while missing.next_if(|&missing| missing < row).is_some() {
                arrived -= 1;
            }
            let Some(TriggerRecord { event_time_ms: event_ms, timestamp_ms: appended_ms }) =
                cause.filter(|_| arrived > 0)
            else {
                continue;
            };
            self.since_event_time.observe(now_ms.saturating_sub(event_ms), arrived);
            if let Some(appended_ms) = appended_ms {
                self.since_append.observe(now_ms.saturating_sub(appended_ms), arrived);
            }
        }
    }
}

/// The wall clock, in epoch milliseconds.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

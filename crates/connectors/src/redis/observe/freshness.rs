//! How fresh rows are when Redis has them.
//!
//! Neighbouring rows with the same trigger are counted together, so a window of many users costs no more than one of few.

use windrow_engine::{Histogram, TriggerRecord};

use crate::redis::rows::batch::InFlightBatch;

/// For each written row: how long ago the record was whose arrival made its window fire. Rows that the end of bounded
/// input fired do not count.
#[derive(Default, Debug)]
pub struct RowFreshness {
    /// Since the record's event time.
    pub since_event_time: Histogram,
    /// Since the record's timestamp in Kafka.
    pub since_append: Histogram,
}

impl RowFreshness {
    /// Counts the rows of `batch`, all but those at the positions `refused`, which ascend.
    pub(crate) fn observe_batch(&self, batch: &InFlightBatch, refused: &[usize], now_ms: i64) {
        let mut refused = refused.iter().copied().peekable();
        let (mut end, mut written, mut trigger) = (0, 0_u64, None);
        for run in batch.runs() {
            if run.trigger != trigger {
                self.observe_rows(trigger, std::mem::take(&mut written), now_ms);
                trigger = run.trigger;
            }
            end += run.row_count();
            written += run.row_count() as u64;
            while refused.next_if(|&position| position < end).is_some() {
                written -= 1;
            }
        }
        self.observe_rows(trigger, written, now_ms);
    }

    fn observe_rows(&self, trigger: Option<TriggerRecord>, rows: u64, now_ms: i64) {
        let Some(TriggerRecord { event_time_ms, timestamp_ms }) = trigger.filter(|_| rows > 0) else { return };
        self.since_event_time.observe(now_ms.saturating_sub(event_time_ms), rows);
        if let Some(timestamp_ms) = timestamp_ms {
            self.since_append.observe(now_ms.saturating_sub(timestamp_ms), rows);
        }
    }
}

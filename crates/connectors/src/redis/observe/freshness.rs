//! The freshness of rows at the moment when Redis acknowledges them.
//!
//! Consecutive rows that the same record caused are counted together. The time for counting therefore does not depend
//! on the number of entities in a window.

use windrow_engine::{Histogram, TriggerRecord};

use crate::redis::rows::batch::InFlightBatch;

/// Histograms of the age of rows: for each row, the milliseconds from the record that caused the row to the row's
/// acknowledgement. A record causes rows when its arrival closes windows. Rows that the end of bounded input caused are
/// not counted.
#[derive(Default, Debug)]
pub struct RowFreshnessHistograms {
    /// Milliseconds from the event time of the record that caused a row to the acknowledgement of the row.
    pub ms_since_trigger_event_time: Histogram,
    /// Milliseconds from the Kafka timestamp of the record that caused a row to the acknowledgement of the row.
    pub ms_since_trigger_record_timestamp: Histogram,
}

impl RowFreshnessHistograms {
    /// Adds the rows of `batch` to the histograms. Leaves out the rows at the positions `refused`, which are in
    /// ascending order.
    pub(crate) fn observe_batch_freshness(&self, batch: &InFlightBatch, refused: &[usize], now_ms: i64) {
        let mut refused = refused.iter().copied().peekable();
        let (mut end, mut written, mut trigger) = (0, 0_u64, None);
        for run in batch.runs() {
            if run.trigger_record != trigger {
                self.observe_row_freshness(trigger, std::mem::take(&mut written), now_ms);
                trigger = run.trigger_record;
            }
            end += run.row_count();
            written += run.row_count() as u64;
            while refused.next_if(|&position| position < end).is_some() {
                written -= 1;
            }
        }
        self.observe_row_freshness(trigger, written, now_ms);
    }

    fn observe_row_freshness(&self, trigger: Option<TriggerRecord>, rows: u64, now_ms: i64) {
        let Some(TriggerRecord { event_time_ms, record_timestamp_ms: timestamp_ms, .. }) = trigger.filter(|_| rows > 0)
        else {
            return;
        };
        if let Some(event_time_ms) = event_time_ms {
            self.ms_since_trigger_event_time.observe(now_ms.saturating_sub(event_time_ms), rows);
        }
        if let Some(timestamp_ms) = timestamp_ms {
            self.ms_since_trigger_record_timestamp.observe(now_ms.saturating_sub(timestamp_ms), rows);
        }
    }
}

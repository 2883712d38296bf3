//! The freshness of rows at the moment when Redis acknowledges them.
//!
//! Consecutive rows with the same trigger are counted together. A window of many entities therefore costs no more than
//! a window of few.

use windrow_engine::{Histogram, TriggerRecord};

use crate::redis::rows::batch::InFlightBatch;

/// The age of each row's trigger at the time when Redis acknowledged the row, in milliseconds. The trigger is the
/// record whose arrival made the window fire. Rows that the end of bounded input fired have no trigger and do not
/// count.
#[derive(Default, Debug)]
pub struct RowFreshnessHistograms {
    /// Milliseconds from the event time of the trigger to the acknowledgement of the row.
    pub ms_since_trigger_event_time: Histogram,
    /// Milliseconds from the Kafka timestamp of the trigger to the acknowledgement of the row.
    pub ms_since_trigger_record_timestamp: Histogram,
}

impl RowFreshnessHistograms {
    /// Counts the rows of `batch`, except those at the ascending positions `refused`.
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
        let Some(TriggerRecord { event_time_ms, record_timestamp_ms: timestamp_ms }) = trigger.filter(|_| rows > 0)
        else {
            return;
        };
        self.ms_since_trigger_event_time.observe(now_ms.saturating_sub(event_time_ms), rows);
        if let Some(timestamp_ms) = timestamp_ms {
            self.ms_since_trigger_record_timestamp.observe(now_ms.saturating_sub(timestamp_ms), rows);
        }
    }
}

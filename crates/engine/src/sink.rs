//! The sink is the interface through which a worker writes rows.
//!
//! Owns: the contract between a worker and its output. Does not own: the implementations of the sink, which are in
//! `windrow-connectors`.
//! Invariants: (1) Rows reach the row store in the order in which the worker passed them to the sink. (2) A
//! [`FlushTicket`] is acknowledged only when the row store has every row that the sink accepted before the flush.
//! Refused rows and rows of lost partitions are the exceptions: the ticket does not wait for them.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::identifiers::FenceToken;
use crate::{ClockDecisions, Counter, Halt, LogPosition, LostPartition, RefusedRow};

/// Identifies a flush of a sink. A flush includes all rows that the sink accepted before the flush started. A later
/// flush never has a smaller ticket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// What made windows fire and produce rows: a record, or the wall clock after the last record of an idle partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// The event time of the record, in epoch milliseconds. `None` if the wall clock made the windows fire.
    pub event_time_ms: Option<i64>,
    /// The Kafka timestamp of the record (`CreateTime` or `LogAppendTime`), in epoch milliseconds. `None` if the source
    /// has no timestamps.
    pub record_timestamp_ms: Option<i64>,
    /// The position after the record.
    pub next_position: LogPosition,
}

impl TriggerRecord {
    /// Creates the trigger of rows that the wall clock causes after all records before `next_position`.
    #[must_use]
    pub const fn without_record(next_position: LogPosition) -> Self {
        Self { event_time_ms: None, record_timestamp_ms: None, next_position }
    }
}

/// A worker's interface to the row store.
pub trait Sink {
    /// Accepts a row for writing. Blocks while the memory for unsent rows is full, so a slow row store also slows down
    /// the reading of records. If a row cannot be written, the next [`Self::start_flush`] returns the error.
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>);

    /// Tells the sink which record caused the rows that the worker writes next. `None` means that the end of the input
    /// caused them. Sinks measure with it how fresh the rows are, and fences store its position.
    fn set_trigger_record(&mut self, _trigger: Option<TriggerRecord>) {}

    /// Tells the sink what the wall clock has decided about the partition in `_fence_token`. The rows that the worker
    /// writes next may depend on it. So the row store saves these decisions together with the first of these rows, in place
    /// of earlier ones ([`crate::RowFence`]). Sinks without a fence ignore this.
    fn set_clock_decisions(&mut self, _fence_token: FenceToken, _decisions: &ClockDecisions) {}

    /// Returns a counter of the nanoseconds for which [`Self::write_row`] has blocked. The counter already grows while
    /// a call is still blocked.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Accepts a late event. Most sinks ignore late events.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// Makes the next flush check whether the row store still has all acknowledged rows of the partition in
    /// `_fence_token`. If rows are missing, the partition becomes a lost partition before the ticket of that flush is
    /// acknowledged ([`Self::take_lost_partitions`]).
    fn verify_rows_at_next_flush(&mut self, _fence_token: FenceToken) {}

    /// Starts to send all accepted rows, and returns the ticket of this flush. Does not wait for the answer of the row
    /// store.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn start_flush(&mut self) -> Result<FlushTicket, Halt>;

    /// Returns the newest flush with rows, if it is older than `flush`; otherwise `flush`. The flushes between
    /// the two only verify rows. Sinks that verify nothing return `flush`.
    fn newest_flush_with_rows(&self, flush: FlushTicket) -> FlushTicket {
        flush
    }

    /// Returns the ticket of the newest acknowledged flush.
    fn newest_acknowledged_flush(&self) -> FlushTicket;

    /// Returns the rows that the row store has refused since the previous call of this function. If the row store
    /// refuses a row of a flush, the row is available here before the flush's ticket is acknowledged.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Returns the partitions that this worker has lost since the previous call of this function. The row store no
    /// longer accepts rows of these partitions from this worker. If a flush reveals a loss, the loss is available here
    /// before the flush's ticket is acknowledged.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits until `ticket` is acknowledged, but at most `timeout`. Returns whether the ticket is acknowledged.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

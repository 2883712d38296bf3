//! The sink is the interface through which a worker writes rows.
//!
//! Owns: the contract between a worker and its output. Does not own: the implementations (the connectors).
//! Invariants: (1) Rows reach the row store in the order in which the worker passed them to the sink. (2) A
//! [`FlushTicket`] is acknowledged only when the row store has every row that the sink accepted before the flush.
//! Exceptions are refused rows and rows of lost partitions.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::identifiers::FenceToken;
use crate::{Counter, Halt, LostPartition, RefusedRow};

/// Identifies a flush of a sink, and so all rows that the sink accepted before this flush. Later tickets are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// A record whose processing made windows fire and produce rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// The event time of the record, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The Kafka timestamp of the record (`CreateTime` or `LogAppendTime`), in epoch milliseconds. `None` if the source
    /// has no timestamps.
    pub record_timestamp_ms: Option<i64>,
}

/// A worker's interface to the row store.
pub trait Sink {
    /// Accepts a row for writing. Blocks while the memory for unsent rows is full, so a slow row store also slows down
    /// the reading of records. If a row cannot be written, the next [`Self::start_flush`] returns the error.
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>);

    /// Tells the sink which record caused the rows that follow; `None` stands for the end of the input. Only sinks that
    /// measure the freshness of rows use this record.
    fn set_trigger_record(&mut self, _trigger: Option<TriggerRecord>) {}

    /// Returns a counter of the nanoseconds for which [`Self::write_row`] has blocked. The counter already grows while
    /// a call is still blocked.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Accepts a late event. Most sinks ignore late events.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// Makes the next flush check whether the row store still has all acknowledged rows of a partition. If rows are
    /// missing, [`Self::take_lost_partitions`] returns the partition before the ticket of that flush is acknowledged.
    fn verify_rows_at_next_flush(&mut self, _fence_token: FenceToken) {}

    /// Starts to send all accepted rows, and returns the ticket of this flush. Does not wait for the answer of the row
    /// store.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn start_flush(&mut self) -> Result<FlushTicket, Halt>;

    /// Returns the ticket of the newest acknowledged flush.
    fn newest_acknowledged_flush(&self) -> FlushTicket;

    /// Returns the rows that the row store has refused since the last call. A row refused during a flush is available
    /// here before the ticket of that flush is acknowledged.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Returns the partitions that this worker has lost since the last call: the row store no longer accepts their
    /// rows. A loss that a flush reveals is available here before the ticket of that flush is acknowledged.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits until `ticket` is acknowledged, but at most `timeout`. Returns whether the ticket is acknowledged.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

//! The sink is the interface through which a worker writes rows.
//!
//! Owns: the contract between a worker and its output. Does not own: the implementations (the connectors).
//! Invariants: (1) Rows reach the row store in the order in which they were written. (2) A [`FlushTicket`] is
//! acknowledged only when the row store has every row that was written before the ticket.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::identifiers::FenceToken;
use crate::{Counter, Halt, LostPartition, RefusedRow};

/// Stands for all rows that were written to a sink before the ticket was issued. Later tickets are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// The record that made windows fire, and so produced rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// The event time of the record, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The Kafka timestamp of the record (produced or appended), in epoch milliseconds. `None` if the source has no
    /// timestamps.
    pub record_timestamp_ms: Option<i64>,
}

/// A worker's interface to the row store.
pub trait Sink {
    /// Accepts a row for writing. Blocks while the memory for unsent rows is full, so a slow row store slows down
    /// reading. If writing a row fails, the next [`Self::start_flush`] returns the error.
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>);

    /// Sets the record that made the following rows fire. `None` stands for the end of the input. Only sinks that
    /// measure the freshness of rows need this record.
    fn set_trigger_record(&mut self, _trigger: Option<TriggerRecord>) {}

    /// Returns a counter of the nanoseconds for which [`Self::write_row`] has blocked. The counter also grows while a
    /// call blocks.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Accepts a late event. Most sinks ignore late events.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// Requests that the next flush verifies that the row store still has all acknowledged rows of a partition. If rows
    /// are lost, [`Self::take_lost_partitions`] returns the partition before the ticket of that flush is acknowledged.
    fn verify_rows_at_next_flush(&mut self, _fence_token: FenceToken) {}

    /// Starts sending all accepted rows and issues a ticket for them. Does not wait until the row store has the rows.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn start_flush(&mut self) -> Result<FlushTicket, Halt>;

    /// Returns the newest acknowledged ticket. The row store has all rows that were written before that ticket.
    fn newest_acknowledged_flush(&self) -> FlushTicket;

    /// Returns the rows that the row store has refused since the last call. When a ticket is acknowledged, all refusals
    /// of rows before the ticket are known.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Returns the partitions whose rows the row store no longer accepts. Each partition is returned once. When a
    /// ticket is acknowledged, all losses of partitions before the ticket are known.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits at most `timeout` for `ticket` to be acknowledged, and returns whether it was.
    ///
    /// # Errors
    /// When the row store has a fault that no retry resolves.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

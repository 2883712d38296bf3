//! The sink is the interface through which a worker writes rows.
//!
//! Owns: the contract between a worker and its output. Does not own: the implementations (the connectors).
//! Invariants: (1) Rows reach the row store in the order in which they were written. (2) A [`FlushTicket`] is
//! acknowledged only when the row store has every row written before it.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::identifiers::FenceToken;
use crate::{Counter, Halt, LostPartition, RefusedRow};

/// Represents all rows that were written to a sink before the ticket was issued. Later tickets are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// The record that fires windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// The event time of the record, in epoch milliseconds.
    pub event_time_ms: i64,
    /// The time at which the record was produced or appended, in epoch milliseconds; `None` if the source has no
    /// timestamps.
    pub record_timestamp_ms: Option<i64>,
}

/// A worker's interface to the row store.
pub trait Sink {
    /// Accepts a row. Blocks while the memory for unsent rows is full, so a slow row store slows reading. The sink
    /// keeps a fault, and the next [`Self::flush`] returns it.
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>);

    /// Sets the record that fires the following rows, until the next call. `None` stands for the end of the input.
    /// Sinks that measure the freshness of rows need this.
    fn set_trigger_record(&mut self, _trigger: Option<TriggerRecord>) {}

    /// Returns the counter of nanoseconds that calls have waited for room. The counter also grows during a wait.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Accepts a late event. Most sinks ignore late events.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// Makes the next ticket also verify that the row store still has all acknowledged rows of this partition. If rows
    /// are lost, [`Self::take_lost_partitions`] returns the partition before that ticket is acknowledged.
    fn verify_acknowledged_rows(&mut self, _fence_token: FenceToken) {}

    /// Sends all accepted rows without waiting for the row store, and issues a ticket for them.
    ///
    /// # Errors
    /// When a fault of the row store cannot be resolved by a retry.
    fn flush(&mut self) -> Result<FlushTicket, Halt>;

    /// Returns the newest acknowledged ticket: the row store has all rows written before that ticket.
    fn newest_acknowledged_ticket(&self) -> FlushTicket;

    /// Returns the rows that the row store refused since the last call. The row store wrote all other rows. When a
    /// ticket is acknowledged, all refusals before the ticket are known.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Returns the partitions whose rows the row store no longer accepts, each once. When a ticket is acknowledged, all
    /// losses before the ticket are known.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits at most `timeout` for `ticket` to be acknowledged, and returns whether it was.
    ///
    /// # Errors
    /// When a fault of the row store cannot be resolved by a retry.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

//! Where rows go: the interface a worker writes through.
//!
//! Owns: the contract between a worker and its output. Does not own: any particular output (the connectors).
//! Invariants: (1) rows reach the store in the order they were written; (2) a [`FlushTicket`] is acknowledged only when
//! every row written before it is in the store.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::identifiers::FenceToken;
use crate::{Counter, Halt, LostPartition, RefusedRow};

/// Stands for everything written to a sink before it was issued. Later tickets are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// The record that made windows fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// Its event time, in epoch milliseconds.
    pub event_time_ms: i64,
    /// When it was produced or appended, in epoch milliseconds, where its source knows.
    pub timestamp_ms: Option<i64>,
}

/// A store of rows, as one worker sees it.
pub trait Sink {
    /// Takes a row. Blocks while the rows that wait for the store use up the memory set aside for them; that is how a slow
    /// store slows reading down. A fault is kept, and the next [`Self::flush`] returns it.
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>);

    /// Names the record that made the following rows fire, until the next call; `None` is the end of the input. Stores that
    /// measure how fresh rows are on arrival need it.
    fn set_trigger(&mut self, _trigger: Option<TriggerRecord>) {}

    /// Returns the counter of the nanoseconds that calls have waited for room. It also grows while a call waits.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Takes a late event. Most stores ignore it.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// Makes the next ticket also stand for the store still having the rows of this partition that it acknowledged. Where it
    /// has lost some, [`Self::take_lost_partitions`] returns the partition before that ticket is acknowledged.
    fn verify_written_rows(&mut self, _fence_token: FenceToken) {}

    /// Sends what was taken so far, without waiting for it, and issues a ticket for it.
    ///
    /// # Errors
    /// A fault of the store that no retry resolves.
    fn flush(&mut self) -> Result<FlushTicket, Halt>;

    /// Returns the newest ticket all of whose rows are in the store.
    fn acknowledged_ticket(&self) -> FlushTicket;

    /// Returns the rows that the store refused one by one since the last call; it wrote the others. Once a ticket is
    /// acknowledged, the refused rows before it are known here.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Returns the partitions whose rows the store no longer takes, each once. Once a ticket is acknowledged, the losses
    /// before it are known here.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits at most `timeout` for `ticket` to be acknowledged; returns whether it is.
    ///
    /// # Errors
    /// A fault of the store that no retry resolves.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

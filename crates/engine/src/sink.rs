//! Where rows go: the interface a worker writes through.
//!
//! Owns: the contract between a worker and its output. Does not own: any particular output (the connectors).
//! Invariants: (1) rows reach the store in the order they were handed over; (2) a [`FlushTicket`] is acknowledged only when
//! every row handed over before it is in the store.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{LateEvent, Row};

use crate::{Counter, FenceToken, Halt, LostPartition, RefusedRow};

/// Stands for everything handed to a sink before it was issued. Later tickets are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FlushTicket(pub u64);

/// The record whose arrival made windows fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerRecord {
    /// Its event time, in epoch milliseconds.
    pub event_time_ms: i64,
    /// When it was produced or appended, as its source says, in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
}

/// A store of rows, as one worker sees it.
pub trait Sink {
    /// Takes a row of `origin`. Blocks while the store is so far behind that the memory set aside for waiting rows is used up; that
    /// is how a slow store slows reading down. A fault is kept and reported by the next [`Self::flush`].
    fn write_row(&mut self, origin: FenceToken, row: Row<'_>);

    /// The rows that follow are due to this record, until the next call; `None`: to the end of the input. For telling how
    /// fresh rows are when they arrive, which most stores do not.
    fn set_trigger(&mut self, _cause: Option<TriggerRecord>) {}

    /// Nanoseconds that calls have waited for room, which also grows while one does.
    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    /// Takes note of a late event; most stores have no use for it.
    fn write_late_event(&mut self, _late: LateEvent<'_>) {}

    /// The next ticket also stands for the store still knowing the rows of `origin` that it has acknowledged: where it has
    /// forgotten some, the partition is lost before that ticket is acknowledged.
    fn verify_written_rows(&mut self, _origin: FenceToken) {}

    /// Sends on what has been taken so far, without waiting for it, and issues a ticket for it.
    ///
    /// # Errors
    /// A fault of the store that no retry mends.
    fn flush(&mut self) -> Result<FlushTicket, Halt>;

    /// The latest ticket all of whose rows are in the store.
    fn acknowledged_ticket(&self) -> FlushTicket;

    /// The rows that the store refused one by one since the last call; the others were written. Those handed over before
    /// an acknowledged ticket are among them once that ticket is acknowledged.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// The partitions whose rows the store no longer takes, each once. Where that befell rows handed over before an
    /// acknowledged ticket, it is among them once that ticket is acknowledged.
    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }

    /// Waits until `ticket` is acknowledged, at most for `patience`; whether it is.
    ///
    /// # Errors
    /// A fault of the store that no retry mends.
    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt>;
}

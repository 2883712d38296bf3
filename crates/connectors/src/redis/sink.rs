//! The writer as one worker sees it.
//!
//! Owns: a worker's unsealed batch, its tickets, what was refused to it and what it lost. Does not own: memory and delivery.
//! Invariant: a worker's batches are acknowledged in their order, so the number of those acknowledged is its ticket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::{Cause, Counter, Epoch, Halt, Lost, Origin, Partition, RefusedRow, Sink, Stop, Ticket};

use super::batch::{Batch, Sealed};
use super::encode::Encoder;
use super::queue::Queue;

/// What the writer tells one worker.
#[derive(Default, Debug)]
pub(super) struct Lane {
    acknowledged: AtomicU64,
    refused: Mutex<Vec<RefusedRow>>,
    losses: Mutex<Losses>,
}

/// The partitions a worker lost.
#[derive(Default, Debug)]
struct Losses {
    /// Not reported yet.
    new: Vec<Lost>,
    /// The newest epoch that was ever lost.
    newest: BTreeMap<Partition, Epoch>,
}

impl Lane {
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// One more batch is in Redis.
    pub(super) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Release);
    }

    /// Keeps a refused row for the worker.
    pub(super) fn refuse(&self, row: RefusedRow) {
        self.refused.lock().push(row);
    }

    /// Keeps a loss for the worker, unless it is known.
    pub(super) fn lose(&self, lost: Lost) {
        let Origin { partition, epoch } = lost.origin;
        let losses = &mut *self.losses.lock();
        if losses.newest.get(&partition).is_none_or(|newest| *newest < epoch) {
            losses.newest.insert(partition, epoch);
            losses.new.push(lost);
        }
    }
}

/// One worker's way to Redis. A partition may move from one worker to another once the first has flushed: from then on
/// the order between their rows is kept. Rows not flushed when this is dropped are gone.
pub struct RedisSink {
    queue: Arc<Queue>,
    stop: Stop,
    stop_patience: Duration,
    encoder: Encoder,
    batch: Batch,
    lane: Arc<Lane>,
    sealed: u64,
    abandoned: bool,
    /// What rows are due to now.
    cause: Option<Cause>,
    /// Nanoseconds spent waiting for room.
    blocked_ns: Arc<Counter>,
}

impl RedisSink {
    pub(super) fn new(queue: Arc<Queue>, stop: Stop, stop_patience: Duration, encoder: Encoder) -> Self {
        let (batch, lane) = (Batch::default(), Arc::default());
        let blocked_ns = Arc::default();
        Self { queue, stop, stop_patience, encoder, batch, lane, sealed: 0, abandoned: false, cause: None, blocked_ns }
    }

    /// Whether rows were dropped because a stop was requested and Redis did not take them; no ticket after that is ever
    /// acknowledged.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        self.abandoned
    }

    fn seal(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.sealed += 1;
        let next = self.batch.alike();
        let batch = std::mem::replace(&mut self.batch, next);
        self.batch.due_to(self.cause);
        if !self.abandoned {
            let sealed = Sealed { batch, lane: Arc::clone(&self.lane) };
            self.abandoned = self.queue.push(sealed, &self.stop, self.stop_patience, &self.blocked_ns).is_err();
        }
    }
}

impl Sink for RedisSink {
    fn row(&mut self, origin: Origin, row: Row<'_>) {
        self.encoder.row(origin, &row, &mut self.batch);
        if self.batch.is_full() {
            self.seal();
        }
    }

    fn cause(&mut self, cause: Option<Cause>) {
        self.cause = cause;
        self.batch.due_to(cause);
    }

    fn blocked_ns(&self) -> Arc<Counter> {
        Arc::clone(&self.blocked_ns)
    }

    fn check(&mut self, origin: Origin) {
        self.batch.check(origin);
    }

    fn flush(&mut self) -> Result<Ticket, Halt> {
        self.seal();
        match self.queue.halted() {
            Some(halt) => Err(halt),
            None => Ok(Ticket(self.sealed)),
        }
    }

    fn acknowledged(&self) -> Ticket {
        Ticket(self.lane.acknowledged())
    }

    /// Never more than what was handed over between two calls: a worker asks once a second.
    fn refused(&mut self) -> Vec<RefusedRow> {
        std::mem::take(&mut *self.lane.refused.lock())
    }

    fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lane.losses.lock().new)
    }

    fn wait(&mut self, ticket: Ticket, patience: Duration) -> Result<bool, Halt> {
        // What was dropped never arrives: it is not waited for.
        let patience = if self.abandoned { Duration::ZERO } else { patience };
        self.queue.wait(&self.lane, ticket.0, patience)
    }
}

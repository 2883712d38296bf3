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
use windrow_engine::{
    Counter, Epoch, FenceToken, FlushTicket, Halt, LostPartition, Partition, RefusedRow, Sink, StopSignal,
    TriggerRecord,
};

use super::batch::{EncodedBatch, RowBatch};
use super::encode::RowEncoder;
use super::queue::WriteQueue;

/// What the writer tells one worker.
#[derive(Default, Debug)]
pub(super) struct WorkerFeedback {
    acknowledged_batches: AtomicU64,
    refused_rows: Mutex<Vec<RefusedRow>>,
    partition_losses: Mutex<PartitionLosses>,
}

/// The partitions a worker lost.
#[derive(Default, Debug)]
struct PartitionLosses {
    /// Not reported yet.
    unreported: Vec<LostPartition>,
    /// The newest epoch that was ever lost.
    newest_lost_epochs: BTreeMap<Partition, Epoch>,
}

impl WorkerFeedback {
    pub(super) fn acknowledged_batches(&self) -> u64 {
        self.acknowledged_batches.load(Ordering::Acquire)
    }

    /// One more batch is in Redis.
    pub(super) fn acknowledge_batch(&self) {
        self.acknowledged_batches.fetch_add(1, Ordering::Release);
    }

    /// Keeps a refused row for the worker.
    pub(super) fn add_refused_row(&self, row: RefusedRow) {
        self.refused_rows.lock().push(row);
    }

    /// Keeps a loss for the worker, unless it is known.
    pub(super) fn add_lost_partition(&self, lost: LostPartition) {
        let FenceToken { partition, epoch } = lost.fence_token;
        let losses = &mut *self.partition_losses.lock();
        if losses.newest_lost_epochs.get(&partition).is_none_or(|newest| *newest < epoch) {
            losses.newest_lost_epochs.insert(partition, epoch);
            losses.unreported.push(lost);
        }
    }
}

/// One worker's way to Redis. A partition may move from one worker to another once the first has flushed: from then on
/// the order between their rows is kept. Rows not flushed when this is dropped are gone.
pub struct RedisSink {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
    stop_timeout: Duration,
    encoder: RowEncoder,
    batch: RowBatch,
    feedback: Arc<WorkerFeedback>,
    sealed_batches: u64,
    has_dropped_rows: bool,
    /// What rows are due to now.
    trigger: Option<TriggerRecord>,
    /// Nanoseconds spent waiting for room.
    blocked_ns: Arc<Counter>,
}

impl RedisSink {
    pub(super) fn new(queue: Arc<WriteQueue>, stop: StopSignal, stop_timeout: Duration, encoder: RowEncoder) -> Self {
        let (batch, feedback) = (RowBatch::default(), Arc::default());
        let blocked_ns = Arc::default();
        Self {
            queue,
            stop,
            stop_timeout,
            encoder,
            batch,
            feedback,
            sealed_batches: 0,
            has_dropped_rows: false,
            trigger: None,
            blocked_ns,
        }
    }

    /// Whether rows were dropped because a stop was requested and Redis did not take them; no ticket after that is ever
    /// acknowledged.
    #[must_use]
    pub fn has_dropped_rows(&self) -> bool {
        self.has_dropped_rows
    }

    fn seal_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.sealed_batches += 1;
        let next = self.batch.new_with_same_capacity();
        let batch = std::mem::replace(&mut self.batch, next);
        self.batch.set_trigger(self.trigger);
        if !self.has_dropped_rows {
            let sealed = EncodedBatch { batch, feedback: Arc::clone(&self.feedback) };
            self.has_dropped_rows = self.queue.push(sealed, &self.stop, self.stop_timeout, &self.blocked_ns).is_err();
        }
    }
}

impl Sink for RedisSink {
    fn write_row(&mut self, origin: FenceToken, row: Row<'_>) {
        self.encoder.encode_row(origin, &row, &mut self.batch);
        if self.batch.is_full() {
            self.seal_batch();
        }
    }

    fn set_trigger(&mut self, cause: Option<TriggerRecord>) {
        self.trigger = cause;
        self.batch.set_trigger(cause);
    }

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::clone(&self.blocked_ns)
    }

    fn verify_written_rows(&mut self, origin: FenceToken) {
        self.batch.add_fence_check(origin);
    }

    fn flush(&mut self) -> Result<FlushTicket, Halt> {
        self.seal_batch();
        match self.queue.halt_reason() {
            Some(halt) => Err(halt),
            None => Ok(FlushTicket(self.sealed_batches)),
        }
    }

    fn acknowledged_ticket(&self) -> FlushTicket {
        FlushTicket(self.feedback.acknowledged_batches())
    }

    /// Never more than what was handed over between two calls: a worker asks once a second.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        std::mem::take(&mut *self.feedback.refused_rows.lock())
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        std::mem::take(&mut self.feedback.partition_losses.lock().unreported)
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, patience: Duration) -> Result<bool, Halt> {
        // What was dropped never arrives: it is not waited for.
        let patience = if self.has_dropped_rows { Duration::ZERO } else { patience };
        self.queue.wait_for_acknowledgement(&self.feedback, ticket.0, patience)
    }
}

//! A worker's side of the rows: encodes them, gathers them in batches, and hands these over.
//!
//! Owns: a worker's unfinished batch and its tickets. Does not own: memory, order and delivery (the queue).
//! Invariant: a worker's batches are acknowledged in their order, so the number of acknowledged batches is its ticket.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::Row;
use windrow_engine::{
    Counter, FenceToken, FlushTicket, Halt, LostPartition, RefusedRow, Sink, StopSignal, TriggerRecord,
};

use super::delivery::queue::WriteQueue;
use super::rows::batch::{EncodedBatch, RowBatch};
use super::rows::encode::RowEncoder;
use super::rows::feedback::WorkerFeedback;

/// Writes one worker's rows to Redis. A partition may move from one worker to another once the first has flushed: the
/// order between their rows is then kept. Rows that are not flushed are lost when the sink is dropped.
pub struct RedisSink {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
    stop_timeout: Duration,
    encoder: RowEncoder,
    batch: RowBatch,
    feedback: Arc<WorkerFeedback>,
    sealed_batches: u64,
    has_dropped_rows: bool,
    /// Nanoseconds spent waiting for room.
    blocked_ns: Arc<Counter>,
}

impl RedisSink {
    pub(crate) fn new(queue: Arc<WriteQueue>, stop: StopSignal, stop_timeout: Duration, encoder: RowEncoder) -> Self {
        Self {
            queue,
            stop,
            stop_timeout,
            encoder,
            batch: RowBatch::default(),
            feedback: Arc::default(),
            sealed_batches: 0,
            has_dropped_rows: false,
            blocked_ns: Arc::default(),
        }
    }

    /// Whether rows were dropped because a stop was requested and Redis did not take them. No later ticket is ever
    /// acknowledged.
    #[must_use]
    pub fn has_dropped_rows(&self) -> bool {
        self.has_dropped_rows
    }

    /// Hands the batch over, unless it is empty.
    fn seal_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.sealed_batches += 1;
        let next = self.batch.new_with_same_capacity();
        let batch = std::mem::replace(&mut self.batch, next);
        if !self.has_dropped_rows {
            let encoded = EncodedBatch { batch, feedback: Arc::clone(&self.feedback) };
            let pushed = self.queue.push(encoded, &self.stop, self.stop_timeout, &self.blocked_ns);
            self.has_dropped_rows = pushed.is_err();
        }
    }
}

impl Sink for RedisSink {
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>) {
        self.encoder.encode_row(fence_token, &row, &mut self.batch);
        if self.batch.is_full() {
            self.seal_batch();
        }
    }

    fn set_trigger(&mut self, trigger: Option<TriggerRecord>) {
        self.batch.set_trigger(trigger);
    }

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::clone(&self.blocked_ns)
    }

    fn verify_written_rows(&mut self, fence_token: FenceToken) {
        self.batch.add_fence_check(fence_token);
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

    /// Never more than the rows handed over between two calls: a worker asks once a second.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        self.feedback.take_refused_rows()
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        self.feedback.take_lost_partitions()
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt> {
        // Dropped rows never arrive, so there is nothing to wait for.
        let timeout = if self.has_dropped_rows { Duration::ZERO } else { timeout };
        self.queue.wait_for_acknowledgement(&self.feedback, ticket.0, timeout)
    }
}

//! The sink of a worker: encodes rows, collects them in a batch, and hands full batches over to the queue.
//!
//! Owns: a worker's unfinished batch and its tickets. Does not own: delivery, and the memory and order of queued rows.
//! Invariant: Redis acknowledges the batches of a worker in order. A flush ticket is therefore the number of batches
//! that the worker had handed over at the flush. The ticket is acknowledged as soon as Redis has acknowledged that
//! number of batches.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::Row;
use windrow_engine::{
    ClockDecisions, Counter, FenceToken, FlushTicket, Halt, LostPartition, RefusedRow, Sink, StopSignal, TriggerRecord,
};

use super::delivery::queue::WriteQueue;
use super::rows::batch::{QueuedBatch, RowBatch};
use super::rows::feedback::WorkerFeedback;
use super::rows::row_encoder::RowEncoder;

/// Writes the rows of one worker to Redis. After a flush, another worker of this process may write rows of the same
/// partition. Redis gets the flushed rows before the rows of the other worker. Dropping the sink loses the rows that
/// are not flushed.
pub struct RedisSink {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
    no_answer_timeout_at_stop: Duration,
    encoder: RowEncoder,
    unfinished_batch: RowBatch,
    feedback: Arc<WorkerFeedback>,
    handed_over_batch_count: u64,
    /// The flush with the last batch that has rows. Later batches only check fences.
    newest_flush_with_rows: FlushTicket,
    has_dropped_rows: bool,
    /// The total nanoseconds that this worker has waited for room in the queue.
    blocked_ns: Arc<Counter>,
}

impl RedisSink {
    pub(crate) fn new(
        queue: Arc<WriteQueue>,
        stop: StopSignal,
        no_answer_timeout_at_stop: Duration,
        encoder: RowEncoder,
    ) -> Self {
        Self {
            queue,
            stop,
            no_answer_timeout_at_stop,
            encoder,
            unfinished_batch: RowBatch::default(),
            feedback: Arc::default(),
            handed_over_batch_count: 0,
            newest_flush_with_rows: FlushTicket(0),
            has_dropped_rows: false,
            blocked_ns: Arc::default(),
        }
    }

    /// Returns whether the sink has dropped rows. A sink drops rows if the writer has ended, or if the queue stays full
    /// after a stop request. Tickets that the sink issues after a drop are never acknowledged.
    #[must_use]
    pub fn has_dropped_rows(&self) -> bool {
        self.has_dropped_rows
    }

    /// Hands the unfinished batch over to the queue, unless this batch is empty.
    fn hand_over_batch(&mut self) {
        if self.unfinished_batch.is_empty() {
            return;
        }
        self.handed_over_batch_count += 1;
        let next = self.unfinished_batch.new_with_same_capacity();
        let batch = std::mem::replace(&mut self.unfinished_batch, next);
        let has_rows = batch.row_count() > 0;
        if has_rows {
            self.newest_flush_with_rows = FlushTicket(self.handed_over_batch_count);
        }
        if !self.has_dropped_rows {
            let encoded = QueuedBatch { row_batch: batch, worker_feedback: Arc::clone(&self.feedback) };
            let pushed =
                self.queue.push_batch_when_room(encoded, &self.stop, self.no_answer_timeout_at_stop, &self.blocked_ns);
            self.has_dropped_rows = has_rows && pushed.is_err();
        }
    }
}

impl Sink for RedisSink {
    fn write_row(&mut self, fence_token: FenceToken, row: Row<'_>) {
        self.encoder.encode_row(fence_token, &row, &mut self.unfinished_batch);
        if self.unfinished_batch.is_full() {
            self.hand_over_batch();
        }
    }

    fn set_trigger_record(&mut self, trigger: Option<TriggerRecord>) {
        self.unfinished_batch.set_next_trigger_record(trigger);
    }

    fn set_clock_decisions(&mut self, fence_token: FenceToken, decisions: &ClockDecisions) {
        self.unfinished_batch.set_clock_decisions(fence_token, decisions.clone());
    }

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::clone(&self.blocked_ns)
    }

    fn verify_rows_at_next_flush(&mut self, fence_token: FenceToken) {
        self.unfinished_batch.add_fence_check(fence_token);
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        self.hand_over_batch();
        match self.queue.halt_reason() {
            Some(halt) => Err(halt),
            None => Ok(FlushTicket(self.handed_over_batch_count)),
        }
    }

    fn newest_flush_with_rows(&self, flush: FlushTicket) -> FlushTicket {
        flush.min(self.newest_flush_with_rows)
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        FlushTicket(self.feedback.acknowledged_batch_count())
    }

    // The list of refused rows stays short, because the worker empties the list by this call once a second.
    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        self.feedback.take_refused_rows()
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        self.feedback.take_lost_partitions()
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt> {
        // A ticket for dropped rows is never acknowledged, so waiting for the ticket would be useless.
        let timeout = if self.has_dropped_rows { Duration::ZERO } else { timeout };
        self.queue.wait_for_acknowledged_batches(&self.feedback, ticket.0, timeout)
    }
}

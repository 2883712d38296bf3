//! The queue of rows and claims between the workers and the writer thread.
//!
//! Owns: the order of rows and claims, and the memory limit. Also owns the waits: workers wait for room in the queue
//! and for outcomes, the writer thread waits for tasks. Does not own: delivery, counters.
//! Invariants: (1) Rows and claims of all workers leave the queue in the order in which they entered the queue. (2)
//! Queued and in-flight rows stay within the memory limit, unless a single batch is larger. Because of invariant 1,
//! Redis gets a claim only after every batch that a worker of this process pushed before the claim.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use windrow_engine::halt::{NoAnswerReason, UnreachableService};
use windrow_engine::{
    ClaimOutcome, Clock, Counter, Halt, LostPartition, OpeningAbandonment, PartitionClaim, RefusedRow, StopSignal,
    Wakeup,
};

use super::transaction::BatchWriteOutcome;
use super::unacknowledged::ExecutedBatch;
use crate::redis::fence::claim::PendingClaim;
use crate::redis::observe::statistics::{BatchWriteSummary, WriterStatistics};
use crate::redis::rows::batch::{InFlightBatch, QueuedBatch};
use crate::redis::rows::feedback::WorkerFeedback;

/// While a worker waits for room in the queue or for the outcome of a claim, it checks at this interval for stop
/// requests.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The error if a batch was not queued. The rows of this batch are dropped.
#[derive(Debug)]
pub(crate) struct BatchNotQueued;

pub(crate) enum WriterTask {
    WriteBatch(InFlightBatch),
    ClaimPartition(Arc<PendingClaim>),
}

/// Whether Redis had acknowledged all rows when the writer was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriterCloseOutcome {
    /// Every row that entered the queue has been written, refused or dropped. A batch that only checks fences may lack an
    /// answer.
    Drained,
    /// Redis had not yet acknowledged all rows when the deadline passed or a fault ended the writer.
    Abandoned {
        /// The memory that the unacknowledged batches take, in bytes. It includes the encoded commands, and the list of
        /// the positions that the rows have in these commands.
        unacknowledged_bytes: usize,
    },
}

enum QueuedItem {
    Batch(QueuedBatch),
    Claim(Arc<PendingClaim>),
}

pub(crate) struct WriteQueue {
    state: Mutex<WriteQueueState>,
    /// Wakes the writer thread when a batch or a claim enters the queue, or when the queue is closed.
    writer_wakeup: Arc<Wakeup>,
    /// Wakes waiting workers when the outcome of a batch or a claim is known, or when the writer has ended.
    worker_wakeup: Arc<Wakeup>,
    memory_limit_bytes: usize,
    statistics: Arc<WriterStatistics>,
    clock: Arc<dyn Clock>,
}

struct WriteQueueState {
    queued: VecDeque<QueuedItem>,
    /// The number of bytes of the batches that are queued, in flight or executed without an acknowledgement.
    unacknowledged_bytes: usize,
    /// The number of rows in these batches.
    unacknowledged_row_count: usize,
    /// The monotonic time at which the writer must end. `None` until the queue is closed.
    close_deadline: Option<Duration>,
    writer_ended: bool,
    halt: Option<Halt>,
    /// The monotonic time of the last answer of Redis.
    last_answer_at: Duration,
    /// The monotonic time until which Redis may wait for replicas or disks before it answers.
    answer_expected_at: Duration,
}

impl WriteQueueState {
    /// Takes as many batches as fit into one transaction, or a claim. Without either, returns an empty batch.
    fn take_next_task(&mut self) -> WriterTask {
        let mut in_flight = InFlightBatch::default();
        loop {
            match self.queued.pop_front() {
                Some(QueuedItem::Batch(encoded)) if in_flight.has_room_for_batch(&encoded.row_batch) => {
                    in_flight.push_batch(encoded);
                }
                Some(QueuedItem::Claim(pending)) if in_flight.batches().is_empty() => {
                    return WriterTask::ClaimPartition(pending);
                }
                Some(later) => {
                    self.queued.push_front(later);
                    return WriterTask::WriteBatch(in_flight);
                }
                None => return WriterTask::WriteBatch(in_flight),
            }
        }
    }
}

impl WriteQueue {
    pub(crate) fn new(memory_limit_bytes: usize, statistics: Arc<WriterStatistics>, clock: Arc<dyn Clock>) -> Self {
        let state = WriteQueueState {
            queued: VecDeque::new(),
            unacknowledged_bytes: 0,
            unacknowledged_row_count: 0,
            close_deadline: None,
            writer_ended: false,
            halt: None,
            last_answer_at: clock.monotonic_now(),
            answer_expected_at: Duration::ZERO,
        };
        Self {
            state: Mutex::new(state),
            writer_wakeup: Arc::default(),
            worker_wakeup: Arc::default(),
            memory_limit_bytes,
            statistics,
            clock,
        }
    }

    /// Returns the clock by which the writer and the workers wait.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Releases `state`, waits until `wakeup` is notified after this call began, at most until `deadline`, and locks the
    /// state again.
    fn wait_unlocked<'a>(
        &'a self,
        state: MutexGuard<'a, WriteQueueState>,
        wakeup: &Arc<Wakeup>,
        deadline: Duration,
    ) -> MutexGuard<'a, WriteQueueState> {
        let seen = wakeup.notification_count();
        drop(state);
        let timeout = deadline.saturating_sub(self.clock.monotonic_now());
        self.clock.wait_for_notification(wakeup, seen, timeout);
        self.state.lock()
    }

    pub(crate) fn statistics(&self) -> &Arc<WriterStatistics> {
        &self.statistics
    }

    /// Waits for room in the queue, and then queues the batch `encoded`. A batch that only checks fences does not wait: it is
    /// small, and a worker has few of them. Fails if the writer has ended. After a stop
    /// request, also fails if Redis gives no answer during `no_answer_timeout_at_stop`, except while it waits for
    /// replicas or disks ([`Self::expect_answer_within`]). Adds the waiting time to `blocked_ns`, in nanoseconds.
    pub(crate) fn push_batch_when_room(
        &self,
        encoded: QueuedBatch,
        stop: &StopSignal,
        no_answer_timeout_at_stop: Duration,
        blocked_ns: &Counter,
    ) -> Result<(), BatchNotQueued> {
        let cost = encoded.row_batch.queue_cost_bytes();
        let row_count = encoded.row_batch.row_count();
        let mut state = self.state.lock();
        let mut stopping_since = None;
        loop {
            if state.writer_ended || state.halt.is_some() {
                return Err(BatchNotQueued);
            }
            let has_room = state.unacknowledged_bytes + cost <= self.memory_limit_bytes;
            if row_count == 0 || has_room || state.unacknowledged_bytes == 0 {
                break;
            }
            if stop.is_requested() {
                let now = self.clock.monotonic_now();
                let since: Duration = *stopping_since.get_or_insert(now);
                let silent_since = since.max(state.last_answer_at).max(state.answer_expected_at);
                if now.saturating_sub(silent_since) >= no_answer_timeout_at_stop {
                    return Err(BatchNotQueued);
                }
            }
            let blocked_at = self.clock.monotonic_now();
            state = self.wait_unlocked(state, &self.worker_wakeup, blocked_at + STOP_POLL_INTERVAL);
            let blocked = self.clock.monotonic_now().saturating_sub(blocked_at);
            blocked_ns.add(u64::try_from(blocked.as_nanos()).unwrap_or(u64::MAX));
        }
        state.queued.push_back(QueuedItem::Batch(encoded));
        state.unacknowledged_bytes += cost;
        state.unacknowledged_row_count += row_count;
        self.statistics.set_unacknowledged_bytes(state.unacknowledged_bytes);
        drop(state);
        self.writer_wakeup.notify();
        Ok(())
    }

    /// Records that Redis may wait so long for replicas or disks before it answers.
    pub(crate) fn expect_answer_within(&self, wait_time: Duration) {
        self.state.lock().answer_expected_at = self.clock.monotonic_now() + wait_time;
    }

    /// Queues a claim for the writer thread. Then waits until the outcome is known, a stop is requested, the opening is
    /// abandoned, or the writer has ended.
    pub(crate) fn queue_claim_and_wait(
        &self,
        claim: PartitionClaim,
        stop: &StopSignal,
        abandonment: &OpeningAbandonment,
    ) -> Result<ClaimOutcome, Halt> {
        let partition = claim.partition;
        let unanswered = |end| Err(UnreachableService::UnansweredClaim { partition, end }.into());
        let pending = Arc::new(PendingClaim::new(claim));
        let mut state = self.state.lock();
        state.queued.push_back(QueuedItem::Claim(Arc::clone(&pending)));
        self.writer_wakeup.notify();
        loop {
            if let Some(outcome) = pending.take_outcome() {
                return Ok(outcome);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended {
                return unanswered(NoAnswerReason::ThreadEnded);
            }
            if stop.is_requested() || abandonment.is_abandoned() {
                pending.mark_no_longer_awaited();
                return unanswered(NoAnswerReason::Stopped);
            }
            let deadline = self.clock.monotonic_now() + STOP_POLL_INTERVAL;
            state = self.wait_unlocked(state, &self.worker_wakeup, deadline);
        }
    }

    /// Passes the outcome of a claim to the waiting worker.
    pub(crate) fn answer_claim(&self, pending: &PendingClaim, outcome: ClaimOutcome) {
        let mut state = self.state.lock();
        pending.set_outcome(outcome);
        state.last_answer_at = self.clock.monotonic_now();
        drop(state);
        self.worker_wakeup.notify();
    }

    /// Waits for the writer's next task. After `idle_check_interval` without a task, returns an empty batch. The writer
    /// sends the empty batch to check whether Redis answers. Returns `None` when the writer must end.
    pub(crate) fn wait_for_next_task(&self, idle_check_interval: Duration) -> Option<WriterTask> {
        let idle_until = self.clock.monotonic_now() + idle_check_interval;
        let mut state = self.state.lock();
        loop {
            let now = self.clock.monotonic_now();
            match state.close_deadline {
                Some(deadline) if state.queued.is_empty() || now >= deadline => return None,
                _ if !state.queued.is_empty() => break,
                _ if now >= idle_until => return Some(WriterTask::WriteBatch(InFlightBatch::default())),
                _ => state = self.wait_unlocked(state, &self.writer_wakeup, idle_until),
            }
        }
        Some(state.take_next_task())
    }

    /// Returns the writer's next task if the queue has one. Returns `None` also after the close deadline.
    pub(crate) fn take_queued_task(&self) -> Option<WriterTask> {
        let mut state = self.state.lock();
        let is_late = state.close_deadline.is_some_and(|deadline| self.clock.monotonic_now() >= deadline);
        (!is_late && !state.queued.is_empty()).then(|| state.take_next_task())
    }

    /// Waits for `pause`, and returns true. Returns false as soon as the close deadline has passed, because the writer
    /// must then end.
    pub(crate) fn pause_before_retry(&self, pause: Duration) -> bool {
        let resume = self.clock.monotonic_now() + pause;
        let mut state = self.state.lock();
        loop {
            let now = self.clock.monotonic_now();
            if state.close_deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now >= resume {
                return true;
            }
            let next = state.close_deadline.map_or(resume, |deadline| deadline.min(resume));
            state = self.wait_unlocked(state, &self.writer_wakeup, next);
        }
    }

    /// Reports `lost` to the workers whose batches in `in_flight` have rows or a fence check of this partition. A loss is
    /// reported before the batch is acknowledged, so that no worker takes lost rows for acknowledged ones.
    pub(crate) fn report_lost_partition(in_flight: &InFlightBatch, lost: LostPartition) {
        for encoded in in_flight.batches() {
            if encoded.row_batch.contains_fence_token(lost.fence_token) {
                encoded.worker_feedback.add_lost_partition(lost);
            }
        }
    }

    /// Reports refused rows to the workers whose batches are in `executed`. Adds the numbers of written, refused and
    /// dropped rows to the statistics, and the time that the transaction took. Then marks the batches as acknowledged.
    pub(crate) fn acknowledge_batch(&self, executed: ExecutedBatch) {
        let ExecutedBatch { batch: in_flight, outcome, transaction_duration: duration } = executed;
        let BatchWriteOutcome { row_refusals: refusals, dropped_row_count: dropped_rows, .. } = outcome;
        let refused_rows = refusals.iter().map(|refusal| refusal.row_index).collect();
        let result = BatchWriteSummary {
            refused_row_positions: refused_rows,
            dropped_row_count: dropped_rows,
            transaction_duration: duration,
        };
        let mut refusals = refusals.into_iter().peekable();
        for row in in_flight.rows() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row_index == row.row_index) {
                row.worker_feedback()
                    .add_refused_row(RefusedRow { row_key: row.redis_key().to_vec(), reason: refusal.refusal_reason });
            }
        }
        let (memory_cost, row_count) = (in_flight.queue_cost_bytes(), in_flight.row_count());
        let feedbacks: Vec<_> =
            in_flight.batches().iter().map(|encoded| Arc::clone(&encoded.worker_feedback)).collect();
        self.statistics.record_completed_batch(in_flight, &result);

        let mut state = self.state.lock();
        feedbacks.iter().for_each(|feedback| feedback.increment_acknowledged_batch_count());
        state.last_answer_at = self.clock.monotonic_now();
        state.unacknowledged_bytes -= memory_cost;
        state.unacknowledged_row_count -= row_count;
        self.statistics.set_unacknowledged_bytes(state.unacknowledged_bytes);
        drop(state);
        self.worker_wakeup.notify();
    }

    /// Waits until Redis has acknowledged at least `count` batches of the worker to which `feedback` belongs, and
    /// returns true. `count` includes all batches since the creation of the worker's sink. Returns false if `timeout`
    /// passes or the writer ends first.
    pub(crate) fn wait_for_acknowledged_batches(
        &self,
        feedback: &WorkerFeedback,
        count: u64,
        timeout: Duration,
    ) -> Result<bool, Halt> {
        let deadline = self.clock.monotonic_now() + timeout;
        let mut state = self.state.lock();
        loop {
            if feedback.acknowledged_batch_count() >= count {
                return Ok(true);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended || self.clock.monotonic_now() >= deadline {
                return Ok(false);
            }
            state = self.wait_unlocked(state, &self.worker_wakeup, deadline);
        }
    }

    /// Returns the halt that ended the writer, if any.
    pub(crate) fn halt_reason(&self) -> Option<Halt> {
        self.state.lock().halt.clone()
    }

    /// Records the halt that ends the writer, unless a halt is already recorded.
    pub(crate) fn set_halt_if_unset(&self, halt: Halt) {
        self.state.lock().halt.get_or_insert(halt);
    }

    /// Records that the writer has ended, and wakes all waiting workers.
    pub(crate) fn mark_writer_ended(&self) {
        self.state.lock().writer_ended = true;
        self.worker_wakeup.notify();
    }

    /// Requests the writer to end as soon as the queue is empty, at the latest at `deadline`.
    pub(crate) fn request_close(&self, deadline: Duration) {
        self.state.lock().close_deadline = Some(deadline);
        self.writer_wakeup.notify();
    }

    /// Waits until the writer has ended, at most until `deadline`. Returns whether rows are left.
    pub(crate) fn wait_for_writer_end(&self, deadline: Duration) -> WriterCloseOutcome {
        let mut state = self.state.lock();
        while !state.writer_ended && self.clock.monotonic_now() < deadline {
            state = self.wait_unlocked(state, &self.worker_wakeup, deadline);
        }
        match state.unacknowledged_row_count {
            0 => WriterCloseOutcome::Drained,
            _ => WriterCloseOutcome::Abandoned { unacknowledged_bytes: state.unacknowledged_bytes },
        }
    }
}

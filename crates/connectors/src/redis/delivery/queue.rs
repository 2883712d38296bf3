//! Where rows and claims wait between the workers and the writer thread.
//!
//! Owns: their order, the memory they may take, and who waits for what. Does not own: delivery, counters.
//! Invariants: (1) first in, first out over all workers, for rows and claims alike; (2) queued and in-flight rows stay
//! within the limit. A claim is therefore answered after every batch that any worker of this process pushed before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use windrow_engine::halt::{UnreachableService, WaitEnd};
use windrow_engine::{ClaimOutcome, Counter, Halt, PartitionClaim, RefusedRow, StopSignal};

use super::transaction::WriteOutcome;
use crate::redis::fence::claim::PendingClaim;
use crate::redis::observe::statistics::{BatchResult, WriterStatistics};
use crate::redis::rows::batch::{EncodedBatch, InFlightBatch};
use crate::redis::rows::feedback::WorkerFeedback;

/// How often a worker that waits for room or for a claim checks for a stop request.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The batch was not queued and its rows are dropped.
#[derive(Debug)]
pub(crate) struct BatchNotQueued;

/// What the writer thread does next.
pub(crate) enum WriterTask {
    Write(InFlightBatch),
    Claim(Arc<PendingClaim>),
}

/// How a writer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseOutcome {
    /// Redis has written or refused every row handed over.
    Drained,
    /// Time ran out, or Redis is unusable; rows that take this many bytes were not acknowledged.
    Abandoned {
        /// Bytes of these rows' commands.
        unacknowledged_bytes: usize,
    },
}

enum QueuedItem {
    Batch(EncodedBatch),
    Claim(Arc<PendingClaim>),
}

/// Shared by all workers and the writer thread.
pub(crate) struct WriteQueue {
    state: Mutex<QueueState>,
    /// Wakes the writer: a batch, a claim, or the request to close.
    work_available: Condvar,
    /// Wakes the workers: Redis has answered for a batch or a claim, or the writer has ended.
    progress_made: Condvar,
    memory_limit: usize,
    statistics: Arc<WriterStatistics>,
}

struct QueueState {
    queued: VecDeque<QueuedItem>,
    /// Bytes of rows that are queued or in flight.
    waiting_bytes: usize,
    /// Set by closing: how long the writer may still work.
    close_deadline: Option<Instant>,
    writer_ended: bool,
    halt: Option<Halt>,
    last_answer_at: Instant,
}

impl WriteQueue {
    pub(crate) fn new(memory_limit: usize, statistics: Arc<WriterStatistics>) -> Self {
        let state = QueueState {
            queued: VecDeque::new(),
            waiting_bytes: 0,
            close_deadline: None,
            writer_ended: false,
            halt: None,
            last_answer_at: Instant::now(),
        };
        Self {
            state: Mutex::new(state),
            work_available: Condvar::new(),
            progress_made: Condvar::new(),
            memory_limit,
            statistics,
        }
    }

    pub(crate) fn statistics(&self) -> &Arc<WriterStatistics> {
        &self.statistics
    }

    /// Queues a batch once there is room for it. Gives up when the writer has ended, or when a stop was requested and
    /// Redis has not answered for `stop_timeout`. `blocked_ns` counts the wait for room while it lasts.
    pub(crate) fn push(
        &self,
        encoded: EncodedBatch,
        stop: &StopSignal,
        stop_timeout: Duration,
        blocked_ns: &Counter,
    ) -> Result<(), BatchNotQueued> {
        let cost = encoded.batch.memory_cost();
        let mut state = self.state.lock();
        let mut stopping_since = None;
        loop {
            if state.writer_ended || state.halt.is_some() {
                return Err(BatchNotQueued);
            }
            if state.waiting_bytes == 0 || state.waiting_bytes + cost <= self.memory_limit {
                break;
            }
            if stop.is_requested() {
                let since = *stopping_since.get_or_insert_with(Instant::now);
                if since.max(state.last_answer_at).elapsed() >= stop_timeout {
                    return Err(BatchNotQueued);
                }
            }
            let blocked_at = Instant::now();
            self.progress_made.wait_for(&mut state, STOP_POLL_INTERVAL);
            blocked_ns.add(u64::try_from(blocked_at.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        state.queued.push_back(QueuedItem::Batch(encoded));
        state.waiting_bytes += cost;
        self.statistics.set_waiting_bytes(state.waiting_bytes);
        drop(state);
        self.work_available.notify_one();
        Ok(())
    }

    /// Lets the writer thread claim a partition, and waits for the outcome or for a stop request.
    pub(crate) fn claim_partition(&self, claim: PartitionClaim, stop: &StopSignal) -> Result<ClaimOutcome, Halt> {
        let partition = claim.partition;
        let unanswered = |end| Err(UnreachableService::UnansweredClaim { partition, end }.into());
        let pending = Arc::new(PendingClaim::new(claim));
        let mut state = self.state.lock();
        state.queued.push_back(QueuedItem::Claim(Arc::clone(&pending)));
        self.work_available.notify_one();
        loop {
            if let Some(outcome) = pending.take_outcome() {
                return Ok(outcome);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended {
                return unanswered(WaitEnd::ThreadEnded);
            }
            if stop.is_requested() {
                pending.abandon();
                return unanswered(WaitEnd::Stopped);
            }
            self.progress_made.wait_for(&mut state, STOP_POLL_INTERVAL);
        }
    }

    /// Hands the outcome of a claim to the worker that waits for it.
    pub(crate) fn answer_claim(&self, pending: &PendingClaim, outcome: ClaimOutcome) {
        let mut state = self.state.lock();
        pending.set_outcome(outcome);
        state.last_answer_at = Instant::now();
        drop(state);
        self.progress_made.notify_all();
    }

    /// Waits for the writer's next task; an empty batch after `idle_check_interval` without any. Returns `None` when the
    /// writer has to end.
    pub(crate) fn next_task(&self, idle_check_interval: Duration) -> Option<WriterTask> {
        let idle_until = Instant::now() + idle_check_interval;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            match state.close_deadline {
                Some(deadline) if state.queued.is_empty() || now >= deadline => return None,
                _ if !state.queued.is_empty() => break,
                _ if now >= idle_until => return Some(WriterTask::Write(InFlightBatch::default())),
                _ => {
                    self.work_available.wait_until(&mut state, idle_until);
                }
            }
        }
        let mut in_flight = InFlightBatch::default();
        loop {
            match state.queued.pop_front() {
                Some(QueuedItem::Batch(encoded)) if in_flight.has_room_for(&encoded.batch) => in_flight.push(encoded),
                Some(QueuedItem::Claim(pending)) if in_flight.batches().is_empty() => {
                    return Some(WriterTask::Claim(pending));
                }
                Some(later) => {
                    state.queued.push_front(later);
                    return Some(WriterTask::Write(in_flight));
                }
                None => return Some(WriterTask::Write(in_flight)),
            }
        }
    }

    /// Waits for `pause`. Returns whether the writer may continue after that.
    pub(crate) fn pause_unless_closed(&self, pause: Duration) -> bool {
        let resume = Instant::now() + pause;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            if state.close_deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now >= resume {
                return true;
            }
            let next = state.close_deadline.map_or(resume, |deadline| deadline.min(resume));
            self.work_available.wait_until(&mut state, next);
        }
    }

    /// Reports what became of `in_flight`, whose transaction took `duration`: refusals and losses to its workers, figures
    /// to the statistics. Then acknowledges its batches.
    pub(crate) fn complete_batch(&self, in_flight: InFlightBatch, outcome: WriteOutcome, duration: Duration) {
        let WriteOutcome { refusals, lost_partitions, dropped_rows } = outcome;
        let refused_rows = refusals.iter().map(|refusal| refusal.row_index).collect();
        let result = BatchResult { refused_rows, dropped_rows, duration };
        let mut refusals = refusals.into_iter().peekable();
        for row in in_flight.rows() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row_index == row.index) {
                row.feedback().add_refused_row(RefusedRow { key: row.redis_key().to_vec(), reason: refusal.reason });
            }
        }
        for lost in lost_partitions {
            for encoded in in_flight.batches() {
                if encoded.batch.has_rows_of(lost.fence_token) {
                    encoded.feedback.add_lost_partition(lost);
                }
            }
        }
        let memory_cost = in_flight.memory_cost();
        let feedbacks: Vec<_> = in_flight.batches().iter().map(|encoded| Arc::clone(&encoded.feedback)).collect();
        self.statistics.record_batch(in_flight, &result);

        let mut state = self.state.lock();
        feedbacks.iter().for_each(|feedback| feedback.acknowledge_batch());
        state.last_answer_at = Instant::now();
        state.waiting_bytes -= memory_cost;
        self.statistics.set_waiting_bytes(state.waiting_bytes);
        drop(state);
        self.progress_made.notify_all();
    }

    /// Waits until `count` batches of a worker are acknowledged, at most for `timeout`. Returns whether they are.
    pub(crate) fn wait_for_acknowledgement(
        &self,
        feedback: &WorkerFeedback,
        count: u64,
        timeout: Duration,
    ) -> Result<bool, Halt> {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        loop {
            if feedback.acknowledged_batches() >= count {
                return Ok(true);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended || self.progress_made.wait_until(&mut state, deadline).timed_out() {
                return Ok(feedback.acknowledged_batches() >= count);
            }
        }
    }

    /// Returns the fault that ended the writer.
    pub(crate) fn halt_reason(&self) -> Option<Halt> {
        self.state.lock().halt.clone()
    }

    /// Records the fault that ends the writer, unless one is recorded.
    pub(crate) fn set_halt(&self, halt: Halt) {
        self.state.lock().halt.get_or_insert(halt);
    }

    /// Records that the writer has ended, and wakes all workers that wait for it.
    pub(crate) fn mark_writer_ended(&self) {
        self.state.lock().writer_ended = true;
        self.progress_made.notify_all();
    }

    /// Asks the writer to end once the queue is empty, or at `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        self.state.lock().close_deadline = Some(deadline);
        self.work_available.notify_all();
    }

    /// Waits for the writer's end, at most until `deadline`.
    pub(crate) fn wait_for_writer_end(&self, deadline: Instant) -> CloseOutcome {
        let mut state = self.state.lock();
        while !state.writer_ended && !self.progress_made.wait_until(&mut state, deadline).timed_out() {}
        match (state.writer_ended, state.waiting_bytes) {
            (true, 0) => CloseOutcome::Drained,
            (_, unacknowledged_bytes) => CloseOutcome::Abandoned { unacknowledged_bytes },
        }
    }
}

//! Where rows and claims wait between the workers and the writer thread.
//!
//! Owns: their order, the memory they may take, who waits for whom, the counters. Does not own: delivery.
//! Invariants: (1) first in, first out over all workers, rows and claims alike; (2) what waits and what is under way stays within the limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use windrow_engine::{ClaimOutcome, Counter, Halt, PartitionClaim, RefusedRow, StopSignal};

use super::batch::{EncodedBatch, InFlightBatch};
use super::claim::PendingClaim;
use super::freshness::{RowFreshness, now_ms};
use super::link::WriteOutcome;
use super::recent::RecentRows;
use super::sink::WorkerFeedback;
use super::status::{RedisOutage, RedisWriterStatus};

/// How often somebody who waits for room or for a claim looks whether a stop was requested.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The batch was not taken and never will be.
#[derive(Debug)]
pub(super) struct BatchNotQueued;

/// What the writer does next.
pub(super) enum WriterTask {
    Write(InFlightBatch),
    Claim(Arc<PendingClaim>),
}

enum QueuedItem {
    Batch(EncodedBatch),
    Claim(Arc<PendingClaim>),
}

/// Shared by all workers and the writer thread.
pub(super) struct WriteQueue {
    state: Mutex<QueueState>,
    /// Something for the writer: a batch, a claim, or the request to end.
    work_available: Condvar,
    /// Something for the others: a flight arrived, a claim was answered, or the writer ended.
    progress_made: Condvar,
    limit: usize,
    freshness: RowFreshness,
    recent: RecentRows,
}

struct QueueState {
    queued: VecDeque<QueuedItem>,
    /// Until when the writer may go on; set by closing.
    close_deadline: Option<Instant>,
    writer_ended: bool,
    halt: Option<Halt>,
    last_answer_at: Instant,
    unreachable_since: Option<Instant>,
    status: RedisWriterStatus,
}

impl QueueState {
    /// Redis has answered.
    fn record_answer(&mut self) {
        self.last_answer_at = Instant::now();
        self.unreachable_since = None;
        self.status.outage = None;
    }
}

impl WriteQueue {
    pub(super) fn new(limit: usize, recent: RecentRows) -> Self {
        let state = QueueState {
            queued: VecDeque::new(),
            close_deadline: None,
            writer_ended: false,
            halt: None,
            last_answer_at: Instant::now(),
            unreachable_since: None,
            status: RedisWriterStatus::default(),
        };
        Self {
            state: Mutex::new(state),
            work_available: Condvar::new(),
            progress_made: Condvar::new(),
            limit,
            freshness: RowFreshness::default(),
            recent,
        }
    }

    /// How fresh rows were when they arrived.
    pub(super) fn freshness(&self) -> &RowFreshness {
        &self.freshness
    }

    /// The rows that arrived lately.
    pub(super) fn recent(&self) -> &RecentRows {
        &self.recent
    }

    /// Takes a batch, once there is room for it. Gives up when the writer has ended, or when a stop was requested and
    /// nothing has moved for `patience`. `blocked_ns` counts how long there was no room, also while there is none.
    pub(super) fn push(
        &self,
        sealed: EncodedBatch,
        stop: &StopSignal,
        patience: Duration,
        blocked_ns: &Counter,
    ) -> Result<(), BatchNotQueued> {
        let cost = sealed.batch.memory_cost();
        let mut state = self.state.lock();
        let mut stopping_since = None;
        loop {
            if state.writer_ended || state.halt.is_some() {
                return Err(BatchNotQueued);
            }
            let taken = state.status.waiting_bytes;
            if taken == 0 || taken + cost <= self.limit {
                break;
            }
            if stop.is_requested() {
                let since = *stopping_since.get_or_insert_with(Instant::now);
                if since.max(state.last_answer_at).elapsed() >= patience {
                    return Err(BatchNotQueued);
                }
            }
            let blocked = Instant::now();
            self.progress_made.wait_for(&mut state, STOP_POLL_INTERVAL);
            blocked_ns.add(u64::try_from(blocked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        state.queued.push_back(QueuedItem::Batch(sealed));
        state.status.waiting_bytes += cost;
        state.status.waiting_bytes_peak = state.status.waiting_bytes_peak.max(state.status.waiting_bytes);
        drop(state);
        self.work_available.notify_one();
        Ok(())
    }

    /// Has the writer thread claim a partition, and waits for its answer or for a stop.
    pub(super) fn claim_partition(&self, claim: PartitionClaim, stop: &StopSignal) -> Result<ClaimOutcome, Halt> {
        let partition = claim.partition;
        let gone = |what| Err(Halt::NotReachable(format!("{what} before Redis granted partition {partition}")));
        let pending = Arc::new(PendingClaim::new(claim));
        let mut state = self.state.lock();
        state.queued.push_back(QueuedItem::Claim(Arc::clone(&pending)));
        self.work_available.notify_one();
        loop {
            if let Some(answer) = pending.take_answer() {
                return Ok(answer);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended {
                return gone("the Redis writer ended");
            }
            if stop.is_requested() {
                pending.abandon();
                return gone("stopped");
            }
            self.progress_made.wait_for(&mut state, STOP_POLL_INTERVAL);
        }
    }

    /// Redis has answered a claim.
    pub(super) fn answer_claim(&self, pending: &PendingClaim, answer: ClaimOutcome) {
        let mut state = self.state.lock();
        pending.set_answer(answer);
        state.record_answer();
        drop(state);
        self.progress_made.notify_all();
    }

    /// The next flight or claim; an empty flight after `idle` without any; none when the writer is to end.
    pub(super) fn next_task(&self, idle: Duration) -> Option<WriterTask> {
        let idle_until = Instant::now() + idle;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            match state.close_deadline {
                Some(until) if state.queued.is_empty() || now >= until => return None,
                _ if !state.queued.is_empty() => break,
                _ if now >= idle_until => return Some(WriterTask::Write(InFlightBatch::default())),
                _ => {
                    self.work_available.wait_until(&mut state, idle_until);
                }
            }
        }
        let mut flight = InFlightBatch::default();
        loop {
            match state.queued.pop_front() {
                Some(QueuedItem::Batch(sealed)) if flight.has_room_for(&sealed.batch) => flight.push(sealed),
                Some(QueuedItem::Claim(pending)) if flight.batches.is_empty() => {
                    return Some(WriterTask::Claim(pending));
                }
                Some(later) => {
                    state.queued.push_front(later);
                    return Some(WriterTask::Write(flight));
                }
                None => return Some(WriterTask::Write(flight)),
            }
        }
    }

    /// Waits for `pause`; whether the writer may then go on.
    pub(super) fn pause_unless_closed(&self, pause: Duration) -> bool {
        let resume = Instant::now() + pause;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            if state.close_deadline.is_some_and(|until| now >= until) {
                return false;
            }
            if now >= resume {
                return true;
            }
            let next = state.close_deadline.map_or(resume, |until| until.min(resume));
            self.work_available.wait_until(&mut state, next);
        }
    }

    /// Redis has answered for `flight` after `took`: reports refusals and losses to their workers and acknowledges its
    /// batches.
    pub(super) fn complete_batch(&self, flight: InFlightBatch, outcome: WriteOutcome, took: Duration) {
        let WriteOutcome { refusals, lost_partitions: lost, dropped_rows: dropped } = outcome;
        let refused = refusals.len();
        let missing: Vec<usize> = refusals.iter().map(|refusal| refusal.row_index).collect();
        let now_ms = now_ms();
        if dropped == 0 {
            self.freshness.observe_batch(&flight, &missing, now_ms);
        }
        let rows = flight.row_count() - refused - dropped;
        let mut refusals = refusals.into_iter().peekable();
        for (index, (sealed, span, _)) in flight.rows().enumerate() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row_index == index) {
                sealed
                    .feedback
                    .add_refused_row(RefusedRow { key: sealed.redis_key(span).to_vec(), reason: refusal.reason });
            }
        }
        for lost in lost {
            flight
                .batches
                .iter()
                .filter(|sealed| sealed.has_rows_of(lost.fence_token))
                .for_each(|sealed| sealed.feedback.add_lost_partition(lost));
        }
        let cost = flight.memory_cost();
        let lanes: Vec<_> = flight.batches.iter().map(|sealed| Arc::clone(&sealed.feedback)).collect();
        if dropped == 0 {
            self.recent.remember_batch(flight, &missing, now_ms);
        }
        let mut state = self.state.lock();
        lanes.iter().for_each(|lane| lane.acknowledge_batch());
        state.record_answer();
        let status = &mut state.status;
        status.waiting_bytes -= cost;
        status.rows_written += rows as u64;
        status.rows_refused += refused as u64;
        status.rows_dropped += dropped as u64;
        if rows > 0 {
            status.transactions += 1;
            status.transaction_time += took;
        }
        drop(state);
        self.progress_made.notify_all();
    }

    /// Notes that nothing gets through.
    pub(super) fn record_unreachable(&self, reason: &str) {
        let mut state = self.state.lock();
        let since = *state.unreachable_since.get_or_insert_with(Instant::now);
        state.status.outage = Some(RedisOutage { duration: since.elapsed(), reason: reason.to_owned() });
        state.status.last_error = Some(reason.to_owned());
    }

    /// Notes a new connection.
    pub(super) fn record_reconnect(&self) {
        self.state.lock().status.reconnects += 1;
    }

    /// Waits until `lane` has `count` batches acknowledged, at most for `patience`; whether it has.
    pub(super) fn wait_for_acknowledgement(
        &self,
        lane: &WorkerFeedback,
        count: u64,
        patience: Duration,
    ) -> Result<bool, Halt> {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        loop {
            if lane.acknowledged_batches() >= count {
                return Ok(true);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.writer_ended || self.progress_made.wait_until(&mut state, until).timed_out() {
                return Ok(lane.acknowledged_batches() >= count);
            }
        }
    }

    /// The fault that ended the writer.
    pub(super) fn halt_reason(&self) -> Option<Halt> {
        self.state.lock().halt.clone()
    }

    /// Ends the writer because of `halt`.
    pub(super) fn set_halt(&self, halt: Halt) {
        self.state.lock().halt.get_or_insert(halt);
    }

    /// The writer has ended: nobody needs to wait for anything any more.
    pub(super) fn mark_writer_ended(&self) {
        self.state.lock().writer_ended = true;
        self.progress_made.notify_all();
    }

    /// Asks the writer to end when nothing waits any more, or at `until`.
    pub(super) fn close(&self, until: Instant) {
        self.state.lock().close_deadline = Some(until);
        self.work_available.notify_all();
    }

    /// Waits for the writer's end, at most until `until`; whether it has, and the bytes of rows that did not reach Redis.
    pub(super) fn wait_for_writer_end(&self, until: Instant) -> (bool, usize) {
        let mut state = self.state.lock();
        while !state.writer_ended && !self.progress_made.wait_until(&mut state, until).timed_out() {}
        (state.writer_ended, state.status.waiting_bytes)
    }

    /// The counters now.
    pub(super) fn status(&self) -> RedisWriterStatus {
        let state = self.state.lock();
        let mut status = RedisWriterStatus { waiting_bytes_limit: self.limit, ..state.status.clone() };
        if let (Some(away), Some(since)) = (&mut status.outage, state.unreachable_since) {
            away.duration = since.elapsed();
        }
        status
    }
}

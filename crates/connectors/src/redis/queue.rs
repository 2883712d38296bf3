//! Where rows and claims wait between the workers and the writer thread.
//!
//! Owns: their order, the memory they may take, who waits for whom, the counters. Does not own: delivery.
//! Invariants: (1) first in, first out over all workers, rows and claims alike; (2) what waits and what is under way stays within the limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use windrow_engine::{Claim, Claimed, Counter, Halt, RefusedRow, Stop};

use super::batch::{Flight, Sealed};
use super::claim::Pending;
use super::freshness::{Freshness, now_ms};
use super::link::Outcome;
use super::recent::RecentRows;
use super::sink::Lane;
use super::status::{Away, Status};

/// How often somebody who waits for room or for a claim looks whether a stop was requested.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The batch was not taken and never will be.
#[derive(Debug)]
pub(super) struct Abandoned;

/// What the writer does next.
pub(super) enum Work {
    Flight(Flight),
    Claim(Arc<Pending>),
}

enum Waiting {
    Batch(Sealed),
    Claim(Arc<Pending>),
}

/// Shared by all workers and the writer thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something for the writer: a batch, a claim, or the request to end.
    work: Condvar,
    /// Something for the others: a flight arrived, a claim was answered, or the writer ended.
    progress: Condvar,
    limit: usize,
    freshness: Freshness,
    recent: RecentRows,
}

struct State {
    waiting: VecDeque<Waiting>,
    /// Until when the writer may go on; set by closing.
    until: Option<Instant>,
    ended: bool,
    halt: Option<Halt>,
    last_arrival: Instant,
    away_since: Option<Instant>,
    status: Status,
}

impl State {
    /// Redis has answered.
    fn back(&mut self) {
        self.last_arrival = Instant::now();
        self.away_since = None;
        self.status.away = None;
    }
}

impl Queue {
    pub(super) fn new(limit: usize, recent: RecentRows) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            until: None,
            ended: false,
            halt: None,
            last_arrival: Instant::now(),
            away_since: None,
            status: Status::default(),
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            progress: Condvar::new(),
            limit,
            freshness: Freshness::default(),
            recent,
        }
    }

    /// How fresh rows were when they arrived.
    pub(super) fn freshness(&self) -> &Freshness {
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
        sealed: Sealed,
        stop: &Stop,
        patience: Duration,
        blocked_ns: &Counter,
    ) -> Result<(), Abandoned> {
        let cost = sealed.batch.cost();
        let mut state = self.state.lock();
        let mut stopping_since = None;
        loop {
            if state.ended || state.halt.is_some() {
                return Err(Abandoned);
            }
            let taken = state.status.waiting_bytes;
            if taken == 0 || taken + cost <= self.limit {
                break;
            }
            if stop.requested() {
                let since = *stopping_since.get_or_insert_with(Instant::now);
                if since.max(state.last_arrival).elapsed() >= patience {
                    return Err(Abandoned);
                }
            }
            let blocked = Instant::now();
            self.progress.wait_for(&mut state, LOOK_UP);
            blocked_ns.add(u64::try_from(blocked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        state.waiting.push_back(Waiting::Batch(sealed));
        state.status.waiting_bytes += cost;
        state.status.waiting_bytes_max = state.status.waiting_bytes_max.max(state.status.waiting_bytes);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Has the writer thread claim a partition, and waits for its answer or for a stop.
    pub(super) fn claim(&self, claim: Claim, stop: &Stop) -> Result<Claimed, Halt> {
        let partition = claim.partition;
        let gone = |what| Err(Halt::NotReachable(format!("{what} before Redis granted partition {partition}")));
        let pending = Arc::new(Pending::new(claim));
        let mut state = self.state.lock();
        state.waiting.push_back(Waiting::Claim(Arc::clone(&pending)));
        self.work.notify_one();
        loop {
            if let Some(answer) = pending.answered() {
                return Ok(answer);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.ended {
                return gone("the Redis writer ended");
            }
            if stop.requested() {
                pending.give_up();
                return gone("stopped");
            }
            self.progress.wait_for(&mut state, LOOK_UP);
        }
    }

    /// Redis has answered a claim.
    pub(super) fn claimed(&self, pending: &Pending, answer: Claimed) {
        let mut state = self.state.lock();
        pending.answer(answer);
        state.back();
        drop(state);
        self.progress.notify_all();
    }

    /// The next flight or claim; an empty flight after `idle` without any; none when the writer is to end.
    pub(super) fn next(&self, idle: Duration) -> Option<Work> {
        let idle_until = Instant::now() + idle;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            match state.until {
                Some(until) if state.waiting.is_empty() || now >= until => return None,
                _ if !state.waiting.is_empty() => break,
                _ if now >= idle_until => return Some(Work::Flight(Flight::default())),
                _ => {
                    self.work.wait_until(&mut state, idle_until);
                }
            }
        }
        let mut flight = Flight::default();
        loop {
            match state.waiting.pop_front() {
                Some(Waiting::Batch(sealed)) if flight.has_room_for(&sealed.batch) => flight.push(sealed),
                Some(Waiting::Claim(pending)) if flight.batches.is_empty() => return Some(Work::Claim(pending)),
                Some(later) => {
                    state.waiting.push_front(later);
                    return Some(Work::Flight(flight));
                }
                None => return Some(Work::Flight(flight)),
            }
        }
    }

    /// Waits for `pause`; whether the writer may then go on.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let resume = Instant::now() + pause;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            if state.until.is_some_and(|until| now >= until) {
                return false;
            }
            if now >= resume {
                return true;
            }
            let next = state.until.map_or(resume, |until| until.min(resume));
            self.work.wait_until(&mut state, next);
        }
    }

    /// Redis has answered for `flight` after `took`: reports refusals and losses to their workers and acknowledges its
    /// batches.
    pub(super) fn arrived(&self, flight: Flight, outcome: Outcome, took: Duration) {
        let Outcome { refusals, lost, dropped } = outcome;
        let refused = refusals.len();
        let missing: Vec<usize> = refusals.iter().map(|refusal| refusal.row).collect();
        let now_ms = now_ms();
        if dropped == 0 {
            self.freshness.arrived(&flight, &missing, now_ms);
        }
        let rows = flight.row_count() - refused - dropped;
        let mut refusals = refusals.into_iter().peekable();
        for (index, (sealed, span, _)) in flight.rows().enumerate() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row == index) {
                sealed.lane.refuse(RefusedRow { key: sealed.key(span).to_vec(), reason: refusal.reason });
            }
        }
        for lost in lost {
            flight
                .batches
                .iter()
                .filter(|sealed| sealed.is_from(lost.origin))
                .for_each(|sealed| sealed.lane.lose(lost));
        }
        let cost = flight.cost();
        let lanes: Vec<_> = flight.batches.iter().map(|sealed| Arc::clone(&sealed.lane)).collect();
        if dropped == 0 {
            self.recent.keep(flight, &missing, now_ms);
        }
        let mut state = self.state.lock();
        lanes.iter().for_each(|lane| lane.acknowledge());
        state.back();
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
        self.progress.notify_all();
    }

    /// Notes that nothing gets through.
    pub(super) fn away(&self, reason: &str) {
        let mut state = self.state.lock();
        let since = *state.away_since.get_or_insert_with(Instant::now);
        state.status.away = Some(Away { lasting: since.elapsed(), reason: reason.to_owned() });
        state.status.last_error = Some(reason.to_owned());
    }

    /// Notes a new connection.
    pub(super) fn reconnected(&self) {
        self.state.lock().status.reconnects += 1;
    }

    /// Waits until `lane` has `count` batches acknowledged, at most for `patience`; whether it has.
    pub(super) fn wait(&self, lane: &Lane, count: u64, patience: Duration) -> Result<bool, Halt> {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        loop {
            if lane.acknowledged() >= count {
                return Ok(true);
            }
            if let Some(halt) = &state.halt {
                return Err(halt.clone());
            }
            if state.ended || self.progress.wait_until(&mut state, until).timed_out() {
                return Ok(lane.acknowledged() >= count);
            }
        }
    }

    /// The fault that ended the writer.
    pub(super) fn halted(&self) -> Option<Halt> {
        self.state.lock().halt.clone()
    }

    /// Ends the writer because of `halt`.
    pub(super) fn halt(&self, halt: Halt) {
        self.state.lock().halt.get_or_insert(halt);
    }

    /// The writer has ended: nobody needs to wait for anything any more.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.progress.notify_all();
    }

    /// Asks the writer to end when nothing waits any more, or at `until`.
    pub(super) fn close(&self, until: Instant) {
        self.state.lock().until = Some(until);
        self.work.notify_all();
    }

    /// Waits for the writer's end, at most until `until`; whether it has, and the bytes of rows that did not reach Redis.
    pub(super) fn closed(&self, until: Instant) -> (bool, usize) {
        let mut state = self.state.lock();
        while !state.ended && !self.progress.wait_until(&mut state, until).timed_out() {}
        (state.ended, state.status.waiting_bytes)
    }

    /// The counters now.
    pub(super) fn status(&self) -> Status {
        let state = self.state.lock();
        let mut status = Status { waiting_bytes_limit: self.limit, ..state.status.clone() };
        if let (Some(away), Some(since)) = (&mut status.away, state.away_since) {
            away.lasting = since.elapsed();
        }
        status
    }
}

//! Where rows wait between the workers and the writer thread.
//!
//! Owns: their order, the memory they may take, who waits for whom, the counters. Does not own: delivery.
//! Invariants: (1) first in, first out over all workers; (2) what waits and what is under way stays within the limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use windrow_engine::{Halt, RefusedRow, Stop};

use super::batch::{Flight, Sealed};
use super::link::Refusal;
use super::sink::Lane;
use super::status::{Away, Status};

/// How often somebody who waits for room looks whether a stop was requested.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The batch was not taken and never will be.
#[derive(Debug)]
pub(super) struct Abandoned;

/// Shared by all workers and the writer thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something for the writer: a batch, or the request to end.
    work: Condvar,
    /// Something for the others: a flight arrived, or the writer ended.
    progress: Condvar,
    limit: usize,
}

struct State {
    waiting: VecDeque<Sealed>,
    /// Until when the writer may go on; set by closing.
    until: Option<Instant>,
    ended: bool,
    halt: Option<Halt>,
    last_arrival: Instant,
    away_since: Option<Instant>,
    status: Status,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            until: None,
            ended: false,
            halt: None,
            last_arrival: Instant::now(),
            away_since: None,
            status: Status::default(),
        };
        Self { state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new(), limit }
    }

    /// Takes a batch, once there is room for it. Gives up when the writer has ended, or when a stop was requested and
    /// nothing has moved for `patience`.
    pub(super) fn push(&self, sealed: Sealed, stop: &Stop, patience: Duration) -> Result<(), Abandoned> {
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
            self.progress.wait_for(&mut state, LOOK_UP);
        }
        state.waiting.push_back(sealed);
        state.status.waiting_bytes += cost;
        state.status.waiting_bytes_max = state.status.waiting_bytes_max.max(state.status.waiting_bytes);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// The next flight; an empty one after `idle` without any batch; none when the writer is to end.
    pub(super) fn next_flight(&self, idle: Duration) -> Option<Flight> {
        let idle_until = Instant::now() + idle;
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            match state.until {
                Some(until) if state.waiting.is_empty() || now >= until => return None,
                _ if !state.waiting.is_empty() => break,
                _ if now >= idle_until => return Some(Flight::default()),
                _ => {
                    self.work.wait_until(&mut state, idle_until);
                }
            }
        }
        let mut flight = Flight::default();
        while state.waiting.front().is_some_and(|sealed| flight.has_room_for(&sealed.batch)) {
            state.waiting.pop_front().into_iter().for_each(|sealed| flight.push(sealed));
        }
        Some(flight)
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

    /// Redis has answered for `flight`: acknowledges its batches and reports `refusals` to their workers.
    pub(super) fn arrived(&self, flight: &Flight, refusals: Vec<Refusal>) {
        let rows = flight.row_count() - refusals.len();
        let refused = refusals.len();
        let mut refusals = refusals.into_iter().peekable();
        for (index, (sealed, span)) in flight.rows().enumerate() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row == index) {
                sealed.lane.refuse(RefusedRow { key: sealed.key(span).to_vec(), reason: refusal.reason });
            }
        }
        let mut state = self.state.lock();
        flight.batches.iter().for_each(|sealed| sealed.lane.acknowledge());
        state.last_arrival = Instant::now();
        state.away_since = None;
        let status = &mut state.status;
        status.away = None;
        status.waiting_bytes -= flight.cost();
        status.rows_written += rows as u64;
        status.rows_refused += refused as u64;
        status.transactions += u64::from(rows > 0);
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
        let mut status = state.status.clone();
        if let (Some(away), Some(since)) = (&mut status.away, state.away_since) {
            away.lasting = since.elapsed();
        }
        status
    }
}

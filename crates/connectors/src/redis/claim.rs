//! Taking a partition over, as a worker sees it.
//!
//! Owns: the handle, and a claim on its way to the writer thread. Does not own: what becomes of it (the writer).
//! Invariant: a claim is answered after every batch handed over before it, by any worker of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use windrow_engine::{Claim, Claimed, Fence, Halt, Stop};

use super::queue::Queue;

/// A claim that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) claim: Claim,
    answer: Mutex<Option<Claimed>>,
    given_up: AtomicBool,
}

impl Pending {
    pub(super) fn new(claim: Claim) -> Self {
        Self { claim, answer: Mutex::new(None), given_up: AtomicBool::new(false) }
    }

    pub(super) fn answer(&self, answer: Claimed) {
        *self.answer.lock() = Some(answer);
    }

    pub(super) fn answered(&self) -> Option<Claimed> {
        self.answer.lock().take()
    }

    /// Nobody waits for the answer any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.given_up.load(Ordering::Acquire)
    }
}

/// The fences of a pipeline in Redis; shared by all workers of this process.
#[derive(Clone)]
pub struct RedisFence {
    queue: Arc<Queue>,
    stop: Stop,
}

impl RedisFence {
    pub(super) fn new(queue: Arc<Queue>, stop: Stop) -> Self {
        Self { queue, stop }
    }
}

impl Fence for RedisFence {
    fn claim(&self, claim: &Claim) -> Result<Claimed, Halt> {
        self.queue.claim(claim.clone(), &self.stop)
    }
}

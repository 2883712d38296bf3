//! Taking a partition over, as a worker sees it.
//!
//! Owns: the handle, and a claim on its way to the writer thread. Does not own: what becomes of it (the writer).
//! Invariant: a claim is answered after every batch handed over before it, by any worker of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use windrow_engine::{ClaimOutcome, Halt, PartitionClaim, RowFence, StopSignal};

use super::queue::WriteQueue;

/// A claim that waits for its answer.
#[derive(Debug)]
pub(super) struct PendingClaim {
    pub(super) claim: PartitionClaim,
    answer: Mutex<Option<ClaimOutcome>>,
    abandoned: AtomicBool,
}

impl PendingClaim {
    pub(super) fn new(claim: PartitionClaim) -> Self {
        Self { claim, answer: Mutex::new(None), abandoned: AtomicBool::new(false) }
    }

    pub(super) fn set_answer(&self, answer: ClaimOutcome) {
        *self.answer.lock() = Some(answer);
    }

    pub(super) fn take_answer(&self) -> Option<ClaimOutcome> {
        self.answer.lock().take()
    }

    /// Nobody waits for the answer any more.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn is_awaited(&self) -> bool {
        !self.abandoned.load(Ordering::Acquire)
    }
}

/// The fences of a pipeline in Redis; shared by all workers of this process.
#[derive(Clone)]
pub struct RedisFence {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
}

impl RedisFence {
    pub(super) fn new(queue: Arc<WriteQueue>, stop: StopSignal) -> Self {
        Self { queue, stop }
    }
}

impl RowFence for RedisFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        self.queue.claim_partition(claim.clone(), &self.stop)
    }
}

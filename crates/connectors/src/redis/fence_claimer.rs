//! The handle through which workers claim partitions in Redis.

use std::sync::Arc;

use windrow_engine::{ClaimOutcome, Halt, OpeningAbandonment, PartitionClaim, RowFence, StopSignal};

use super::delivery::queue::WriteQueue;

/// Claims partitions in Redis for all workers of this process. Redis gets a claim only after every batch that a worker
/// of this process handed over before the claim.
#[derive(Clone)]
pub struct RedisFenceClaimer {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
}

impl RedisFenceClaimer {
    pub(crate) fn new(queue: Arc<WriteQueue>, stop: StopSignal) -> Self {
        Self { queue, stop }
    }
}

impl RowFence for RedisFenceClaimer {
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        self.queue.queue_claim_and_wait(claim.clone(), &self.stop, abandonment)
    }
}

//! A worker's side of claims: the fences of a pipeline, as the engine sees them.

use std::sync::Arc;

use windrow_engine::{ClaimOutcome, Halt, PartitionClaim, RowFence, StopSignal};

use super::delivery::queue::WriteQueue;

/// The fences of a pipeline in Redis, shared by all workers of this process. A claim is answered after every batch that
/// was handed over before it.
#[derive(Clone)]
pub struct RedisFence {
    queue: Arc<WriteQueue>,
    stop: StopSignal,
}

impl RedisFence {
    pub(crate) fn new(queue: Arc<WriteQueue>, stop: StopSignal) -> Self {
        Self { queue, stop }
    }
}

impl RowFence for RedisFence {
    fn claim_partition(&self, claim: &PartitionClaim) -> Result<ClaimOutcome, Halt> {
        self.queue.claim_partition(claim.clone(), &self.stop)
    }
}

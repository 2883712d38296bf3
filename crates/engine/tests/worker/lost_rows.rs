//! The row store has lost rows that the checkpoints count.

use std::sync::Arc;

use windrow_engine::{
    ClaimOutcome, Halt, MissingRowsPolicy, NoRowFence, OpeningAbandonment, PartitionClaim, RowFence, WorkerMetrics,
    WorkerOutcome,
};

use crate::support::memory_store::StoreCall;
use crate::support::parking_job::{FaultyStore, ParkingJob, TopicState, step};

/// The fence of a row store that has lost all rows. Meanwhile, the older checkpoints become unreadable.
struct FenceWithoutRows {
    store: Arc<FaultyStore>,
}

impl RowFence for FenceWithoutRows {
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        match claim.missing_rows {
            MissingRowsPolicy::RefuseClaim => {
                self.store.damage_older_checkpoints(claim.partition);
                Ok(ClaimOutcome::RowsMissing { stored_rows: None })
            }
            MissingRowsPolicy::GrantClaim => NoRowFence.claim_partition(claim, abandonment),
        }
    }
}

#[test]
fn a_checkpoint_is_restored_at_most_twice_if_the_older_ones_cannot_be_read() {
    let mut job = ParkingJob::new();
    job.run_until_checkpoints();
    job.assigned = vec![0];
    job.config.row_fence = Arc::new(FenceWithoutRows { store: Arc::clone(&job.store) });
    let newest_state = job.store.list_names("partition-0/state/").pop().expect("the state of a checkpoint");
    job.store.handler.call_counts.lock().clear();
    let checkpoint_offset = job.state.lock().committed_offset(0);
    let continues = move |state: &TopicState, _: &WorkerMetrics| state.committed_offset(0) > checkpoint_offset;
    let outcome = job.run(vec![step("the partition continues", continues, |_, _| {})]);
    assert_eq!(outcome.expect("no halt"), WorkerOutcome::Stopped);
    job.assert_rows_are_complete(0);
    assert_eq!(job.store.count_calls(StoreCall::Read, &newest_state).values().sum::<usize>(), 2);
}

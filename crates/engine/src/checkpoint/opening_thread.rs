//! The thread that opens one partition: it claims an epoch, restores the shard, and claims the partition at the fence.
//!
//! Owns: the restored shard until the partition is open. Does not own: the steps (`claim_partition`,
//! `restore_behind_truncation`), and the worker's side (`partition_opener`).
//! Invariants: (1) The thread belongs to one opening, and its channels too. So an answer for an earlier opening is never
//! taken for one of a later opening. (2) After the worker has abandoned the opening, the thread begins no further call of
//! the checkpoint store and no claim at the fence.

use std::sync::Arc;

use super::claim_partition::{FenceClaimOutcome, claim_epoch_and_restore, claim_partition_at_fence};
use super::config::{CheckpointConfig, PartitionFaultPolicy};
use super::opened_partition::RestoredPartition;
use super::opening_messages::{OpeningAnswer, OpeningCommand};
use super::restore_behind_truncation::restore_behind_truncation;
use super::store_fault_extent::find_store_fault_extent;
use super::store_findings::StoreFaultExtent;
use super::store_retry::StoreRetry;
use crate::message_channel::{MessageReceiver, MessageSender};
use crate::{Clock, Halt, JobDefinition, OpeningAbandonment, Partition, StopSignal, WorkerMetrics};

pub(super) struct OpeningThread {
    pub(super) partition: Partition,
    /// The settings of checkpoints. The stores in them belong to this opening.
    pub(super) config: CheckpointConfig,
    pub(super) job: JobDefinition,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop_signal: StopSignal,
    pub(super) abandonment: OpeningAbandonment,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) answers: MessageSender<OpeningAnswer>,
}

/// What follows after a step of an opening.
enum NextStep {
    /// The worker gets the answer, and its next command continues with the restored partition.
    Continue(OpeningAnswer, Box<RestoredPartition>),
    /// The worker gets the answer, and the opening has ended.
    End(OpeningAnswer),
}

impl OpeningThread {
    /// Opens the partition. Returns when the partition is open or cannot be opened, or when the worker has abandoned the
    /// opening.
    pub(super) fn open_partition(self, commands: &MessageReceiver<OpeningCommand>) {
        let mut step = self.claim_epoch_and_restore();
        loop {
            let restored = match step.unwrap_or_else(|fault| NextStep::End(self.describe_failure(fault))) {
                NextStep::Continue(answer, restored) => {
                    // If the worker has abandoned the opening, the answer has no receiver, and no command follows.
                    let _ = self.answers.send(answer);
                    restored
                }
                NextStep::End(answer) => {
                    let _ = self.answers.send(answer);
                    return;
                }
            };
            let Ok(command) = commands.receive() else { return };
            if self.abandonment.is_abandoned() {
                return;
            }
            step = match command {
                OpeningCommand::RestoreBehindTruncation { held_offsets } => {
                    restore_behind_truncation(&self.store_retry(), &self.job, *restored, held_offsets)
                        .map(continue_with_restored)
                }
                OpeningCommand::ClaimFence { start } => claim_partition_at_fence(
                    &self.store_retry(),
                    &self.metrics.missing_rows,
                    &self.job,
                    *restored,
                    start,
                )
                .map(|outcome| match outcome {
                    FenceClaimOutcome::Opened(opened) => NextStep::End(OpeningAnswer::Opened(opened)),
                    FenceClaimOutcome::Overtaken { newer_epoch } => {
                        NextStep::End(OpeningAnswer::Overtaken { newer_epoch })
                    }
                    FenceClaimOutcome::RestoredOlder(older) => continue_with_restored(*older),
                }),
            };
        }
    }

    fn claim_epoch_and_restore(&self) -> Result<NextStep, Halt> {
        claim_epoch_and_restore(&self.store_retry(), &self.job, self.partition).map(continue_with_restored)
    }

    /// Returns the answer for an opening that fails because of `fault`.
    fn describe_failure(&self, fault: Halt) -> OpeningAnswer {
        let extent = match self.config.partition_fault_policy {
            PartitionFaultPolicy::Park => find_store_fault_extent(&self.store_retry(), &fault),
            PartitionFaultPolicy::Halt => StoreFaultExtent::OnePartition,
        };
        OpeningAnswer::Failed { fault, extent }
    }

    fn store_retry(&self) -> StoreRetry<'_> {
        StoreRetry {
            checkpoint_config: &self.config,
            clock: &*self.clock,
            stop_signal: &self.stop_signal,
            abandonment: &self.abandonment,
        }
    }
}

fn continue_with_restored(restored: RestoredPartition) -> NextStep {
    let checkpoint_offset = restored.restored_shard.checkpoint_offset();
    NextStep::Continue(OpeningAnswer::Restored { checkpoint_offset }, Box::new(restored))
}

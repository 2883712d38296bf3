//! Parks a partition that has a fault of its own, and opens it again later.
//!
//! A fault of one partition is, for example, damaged state or a lost offset ([`FaultScope`]). An operator must resolve
//! it, but it does not concern the other partitions.
//! Owns: the decision between parking and a halt, and when a parked partition is opened again. Does not own: the
//! detection of faults.
//! Invariants: (1) The worker computes no row and takes no checkpoint of a parked partition. Rows that
//! were computed before may still be written. The checkpoints stay as they are. (2) After the
//! source has lost records that this worker had read, no attempt opens the partition again: the source may have received
//! other records at the same offsets. (3) If the source has deleted records that this worker has not read yet, the state is
//! in a checkpoint before the worker drops it.

use std::sync::Arc;
use std::time::Duration;

use super::partition_phase::{DrainGoal, OpenReason, PartitionPhase, TrackedPartition};
use super::snapshots::{DrainStep, next_drain_step};
use super::state::Worker;
use crate::checkpoint::{CheckpointCommand, PartitionFaultPolicy, StoreFaultExtent};
use crate::halt::{FaultScope, LostOffset};
use crate::{DeadLetterSink, Halt, Partition, Sink, Source};

impl<Input: Source, Output: Sink, Rejects: DeadLetterSink> Worker<Input, Output, Rejects> {
    /// Parks `partition` because of `fault`, if `fault` concerns this partition alone and the job allows it. Does nothing
    /// if the worker neither opens nor reads the partition. A fault of the checkpoint store that keeps every partition of
    /// the process from being opened concerns the whole job. `store_fault_extent` is what an opening has found out about
    /// the store.
    ///
    /// # Errors
    /// Returns `fault` if the job must halt.
    pub(super) fn park_or_halt(
        &mut self,
        partition: Partition,
        fault: Halt,
        store_fault_extent: StoreFaultExtent,
    ) -> Result<(), Halt> {
        let scope = fault.fault_scope();
        let mut config = self.checkpoint_config.iter();
        let may_park = config.any(|config| config.partition_fault_policy == PartitionFaultPolicy::Park);
        if !may_park || scope == FaultScope::WholeJob {
            return Err(fault);
        }
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        if let Halt::LostOffset(lost) = &fault
            && lost.has_lost_read_records()
        {
            tracked.lost_records.get_or_insert_with(|| lost.clone());
        }
        if !tracked.may_be_parked() {
            return Ok(());
        }
        let now = self.clock.monotonic_now();
        if let Some(findings) = &self.store_findings {
            if scope != FaultScope::PartitionOrStore {
                findings.note_not_open(partition, now);
            } else if findings.note_store_fault(partition, store_fault_extent, now) == StoreFaultExtent::WholeStore {
                return Err(fault);
            }
        }
        self.abandon_snapshot(partition)?;
        // A partition that was running before its restart is still being read.
        self.source.stop_partitions(&[partition])?;
        let Some(tracked) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let retry_delay = tracked.park(now)?;
        self.event_recorder.record_partition_parked(partition, fault, retry_delay);
        Ok(())
    }

    /// Parks the running partitions whose next offsets the source has lost, or halts the job. If the source has deleted
    /// records that the worker has not read yet, the state is valid, so the worker takes a last checkpoint first.
    pub(super) fn park_partitions_with_lost_offsets(&mut self, lost_offsets: Vec<LostOffset>) -> Result<(), Halt> {
        let now = self.clock.monotonic_now();
        for lost in lost_offsets {
            let partition = lost.partition;
            let policy = self.checkpoint_config.as_ref().map(|checkpoints| checkpoints.partition_fault_policy);
            let running = self.partitions.get_mut(&partition);
            let running =
                running.filter(|tracked| tracked.owned_partition().is_some() && tracked.drain_goal().is_none());
            let (Some(policy), Some(tracked), false) = (policy, running, lost.has_lost_read_records()) else {
                self.park_or_halt(partition, lost.into(), StoreFaultExtent::OnePartition)?;
                continue;
            };
            self.event_recorder.record_next_records_deleted(&lost);
            let goal = match policy {
                PartitionFaultPolicy::Park => DrainGoal::Park(lost),
                PartitionFaultPolicy::Halt => DrainGoal::Halt(lost),
            };
            tracked.start_draining(goal, now)?;
        }
        Ok(())
    }

    /// Continues the last checkpoints of partitions whose next records were deleted. Parks each partition whose last
    /// checkpoint is complete, or halts the job.
    pub(super) fn park_drained_partitions(&mut self) -> Result<(), Halt> {
        let lost_offset = |tracked: &TrackedPartition| match tracked.drain_goal() {
            Some(DrainGoal::Park(lost) | DrainGoal::Halt(lost)) => Some(lost.clone()),
            _ => None,
        };
        if !self.partitions.values().any(|tracked| lost_offset(tracked).is_some()) {
            return Ok(());
        }
        self.advance_final_checkpoints()?;
        let now = self.clock.monotonic_now();
        let drained = self.partitions.values().filter(|tracked| next_drain_step(tracked, now) == DrainStep::Done);
        let lost_offsets: Vec<LostOffset> = drained.filter_map(lost_offset).collect();
        let mut lost_offsets = lost_offsets.into_iter();
        lost_offsets.try_for_each(|lost| self.park_or_halt(lost.partition, lost.into(), StoreFaultExtent::OnePartition))
    }

    /// Lets a requested savepoint fail at once if a partition is parked, because it would lack the partition.
    pub(super) fn refuse_incomplete_savepoint(&mut self) -> Result<(), Halt> {
        let (Some(config), Some(thread)) = (&self.checkpoint_config, &self.checkpoint_thread) else { return Ok(()) };
        let Some(request) = config.current_savepoint_request.current_request() else { return Ok(()) };
        for (&partition, tracked) in &mut self.partitions {
            let is_refused = tracked.refused_savepoint_id.as_deref() == Some(&*request.savepoint_id);
            if is_refused || !matches!(tracked.phase(), PartitionPhase::Parked { .. }) {
                continue;
            }
            tracked.refused_savepoint_id = Some(request.savepoint_id.as_str().into());
            let fault = self.event_recorder.record_savepoint_refused(partition, &request);
            let request = Arc::clone(&request);
            thread.send_command(CheckpointCommand::RefuseSavepoint { partition, request, fault })?;
        }
        Ok(())
    }

    /// Lets each parked partition be opened again whose delay has passed.
    pub(super) fn reopen_parked_partitions(&mut self, now: Duration) -> Result<(), Halt> {
        for tracked in self.partitions.values_mut() {
            if matches!(tracked.phase(), PartitionPhase::Parked { retry_at } if *retry_at <= now) {
                tracked.assign_again(OpenReason::Restart, now)?;
            }
        }
        Ok(())
    }
}

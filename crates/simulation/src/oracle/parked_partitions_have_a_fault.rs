//! A partition is parked only after one of its objects was damaged, or its next record was deleted and a checkpoint has its
//! state.

use std::time::Duration;

use windrow_engine::halt::{DamagedState, ErrorChain, LostOffset};
use windrow_engine::{Halt, Partition};

use super::RowOracle;
use crate::simulation_core::{InstanceProcess, SimulationCore};

impl RowOracle {
    /// Notes that a source has reported the next offset of `partition` as lost.
    pub(crate) fn observe_lost_offset(&mut self, partition: Partition) {
        self.counts.deleted_records += 1;
        self.partitions_with_lost_offsets.insert(partition);
    }

    /// Notes that a fault has damaged an object of `partition`.
    pub(crate) fn observe_damaged_object(&mut self, partition: Partition, name: &str) {
        self.damaged_objects.insert(name.to_owned());
        self.partitions_with_damage.insert(partition);
    }

    /// Notes that all damaged objects were repaired.
    pub(crate) fn observe_repair(&mut self, repaired_at: Duration) {
        let repaired = std::mem::take(&mut self.damaged_objects);
        self.repaired_at.extend(repaired.into_iter().map(|name| (name, repaired_at)));
    }

    /// Notes that a process begins to open `partition`.
    pub(crate) fn observe_claimed_epoch(&mut self, partition: Partition, claimed_at: Duration) {
        self.opened_at.insert(partition, claimed_at);
    }

    /// Checks that `process` has parked `partition` for a fault of this partition.
    pub(crate) fn observe_parked_partition(
        &mut self,
        core: &SimulationCore,
        process: InstanceProcess,
        partition: Partition,
        fault: &Halt,
    ) {
        let InstanceProcess { instance, start_count } = process;
        if self.parked_by_process.insert((instance, start_count, partition)) {
            self.counts.parked_partitions += 1;
        }
        let is_explained = match fault {
            Halt::DamagedState(DamagedState::NoReadableCheckpoint { .. }) => {
                self.partitions_with_damage.contains(&partition)
            }
            Halt::LostOffset(lost) => {
                self.verify_checkpoint_before_lost_offset(core, lost);
                self.partitions_with_lost_offsets.contains(&partition)
            }
            _ => false,
        };
        if !is_explained {
            core.report_violation(format!(
                "instance {instance} has parked partition {partition}, which has no fault: {}",
                ErrorChain(fault)
            ));
        }
    }

    /// Checks that the state of a partition was stored before the partition was parked for deleted records.
    fn verify_checkpoint_before_lost_offset(&self, core: &SimulationCore, lost: &LostOffset) {
        let mut manifests = self.manifests.get(&lost.partition).into_iter().flatten();
        if lost.lost_offset > 0 && !manifests.any(|manifest| manifest.offset == lost.lost_offset) {
            core.report_violation(format!(
                "partition {} is parked because offset {} was deleted, without a checkpoint at this offset",
                lost.partition, lost.lost_offset
            ));
        }
    }
}

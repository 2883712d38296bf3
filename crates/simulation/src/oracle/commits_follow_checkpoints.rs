//! An offset is committed only after a manifest with this offset.

use windrow_engine::PartitionOffsets;

use super::RowOracle;
use crate::simulation_core::SimulationCore;

impl RowOracle {
    /// Checks that each of `offsets` is the offset of a manifest.
    pub(crate) fn observe_commit(&self, core: &SimulationCore, offsets: &PartitionOffsets) {
        for (partition, offset) in offsets {
            let mut known = self.manifests.get(partition).into_iter().flatten();
            if !known.any(|manifest| manifest.offset == *offset) {
                core.report_violation(format!(
                    "offset {offset} of partition {partition} is committed without a checkpoint"
                ));
            }
        }
    }
}

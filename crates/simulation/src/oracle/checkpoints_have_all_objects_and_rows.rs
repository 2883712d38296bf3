//! A manifest is created only when all its objects exist, and when Redis has all rows before its offset.

use std::collections::BTreeSet;

use windrow_engine::checkpoint::{CheckpointId, CheckpointManifest};
use windrow_engine::{Offset, Partition};

use super::RowOracle;
use super::fence_text::{parse_fence, partition_of_fence};
use crate::redis_copies::RequiredCopies;
use crate::redis_keys::{StoredKeys, StoredValue};
use crate::simulation_core::SimulationCore;
use crate::store::WriteTiming;

/// A manifest that an instance has created.
#[derive(Clone, Debug)]
pub(super) struct ObservedManifest {
    pub(super) checkpoint_id: CheckpointId,
    pub(super) offset: Offset,
    pub(super) last_row_numbers: Vec<u64>,
    pub(super) object_names: BTreeSet<String>,
    /// Whether it was deleted, or lacks objects.
    pub(super) is_gone: bool,
    pub(super) timing: WriteTiming,
}

impl RowOracle {
    /// Checks a new object of the store, if it is a manifest.
    pub(crate) fn observe_created_object(
        &mut self,
        core: &SimulationCore,
        manifest_name: &str,
        manifest: &CheckpointManifest,
        existing_objects: &BTreeSet<String>,
        timing: WriteTiming,
    ) {
        self.counts.manifests += 1;
        self.verify_numbering_at_cut(core, manifest);
        self.note_cut_before_loss(manifest);
        let partition = manifest.partition;
        let parts = manifest.layers.iter().flat_map(|layer| &layer.parts);
        let missing: Vec<&str> =
            parts.map(|part| part.object_name.as_str()).filter(|name| !existing_objects.contains(*name)).collect();
        if !missing.is_empty() && !self.has_newer_manifest(manifest) {
            core.report_violation(format!(
                "checkpoint {} of partition {partition} names missing objects: {}",
                manifest.checkpoint_id,
                missing.join(", ")
            ));
        }
        let has_all_objects = missing.is_empty();
        let parts = manifest.layers.iter().flat_map(|layer| &layer.parts);
        let mut object_names: BTreeSet<String> = parts.map(|part| part.object_name.clone()).collect();
        object_names.insert(manifest_name.to_owned());
        self.manifests.entry(partition).or_default().push(ObservedManifest {
            checkpoint_id: manifest.checkpoint_id,
            offset: manifest.offset,
            is_gone: !has_all_objects,
            timing,
            object_names,
            last_row_numbers: manifest.views.iter().map(|view| view.last_row_number).collect(),
        });
    }

    /// Returns whether a newer checkpoint exists. Its owner may have deleted the objects of `manifest`, which a former
    /// owner has created late.
    fn has_newer_manifest(&self, manifest: &CheckpointManifest) -> bool {
        let known = self.manifests.get(&manifest.partition).into_iter().flatten();
        known.into_iter().any(|known| known.checkpoint_id > manifest.checkpoint_id)
    }

    /// Checks that `holder`, whose keys are `keys`, has all rows before the offset of a new manifest. Without required
    /// copies, a failover may have lost them meanwhile.
    pub(crate) fn verify_rows_before_manifest(
        &self,
        core: &SimulationCore,
        manifest: &CheckpointManifest,
        holder: &str,
        keys: &StoredKeys,
    ) {
        let partition = manifest.partition;
        if self.required_copies == RequiredCopies::None && manifest.taken_at_ms <= self.last_failover_ms {
            return;
        }
        let fence = keys.iter().find(|(key, _)| partition_of_fence(key) == Some(partition));
        let counts = fence.and_then(|(_, value)| match value {
            StoredValue::Text(text) => parse_fence(text),
            StoredValue::Hash(_) => None,
        });
        for (index, view) in manifest.views.iter().enumerate() {
            let count = counts.as_ref().and_then(|counts| counts.views.get(index));
            let written = count.filter(|count| count.fingerprint == view.row_numbering_fingerprint);
            if written.is_some_and(|written| written.last_row_number < view.last_row_number) {
                core.report_violation(format!(
                    "checkpoint {} of partition {partition} covers {} rows of view {}, but {holder} has {written:?}",
                    manifest.checkpoint_id, view.last_row_number, view.view_name
                ));
            }
        }
    }

    /// Notes that a manifest was deleted.
    pub(crate) fn observe_deleted_manifest(&mut self, partition: Partition, checkpoint_id: CheckpointId) {
        let manifests = self.manifests.get_mut(&partition).into_iter().flatten();
        for manifest in manifests.filter(|manifest| manifest.checkpoint_id == checkpoint_id) {
            manifest.is_gone = true;
        }
    }

    /// Returns whether each owner of `partition` counts the checkpoint: it is whole, and was created in time.
    pub(crate) fn is_counted_checkpoint(&self, partition: Partition, checkpoint_id: CheckpointId) -> bool {
        let mut known = self.manifests.get(&partition).into_iter().flatten();
        let is_in_time = |known: &ObservedManifest| {
            known.checkpoint_id == checkpoint_id && !known.is_gone && known.timing == WriteTiming::InTime
        };
        known.any(is_in_time) && !self.is_overtaken(partition, checkpoint_id)
    }

    /// Returns whether the owner of a larger epoch has used the number of the checkpoint, because it did not know it.
    fn is_overtaken(&self, partition: Partition, checkpoint_id: CheckpointId) -> bool {
        let CheckpointId { epoch, checkpoint_number } = checkpoint_id;
        let mut known = self.manifests.get(&partition).into_iter().flatten().map(|known| known.checkpoint_id);
        known.any(|known| known.epoch > epoch && known.checkpoint_number <= checkpoint_number)
    }
}

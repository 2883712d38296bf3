//! Finds the objects of a partition that no kept checkpoint needs, so that these objects can be deleted.
//!
//! Owns: the decision which objects may be deleted. Invariants: (1) Only the owner of a partition deletes the
//! partition's objects, and only after it has completed a checkpoint. (2) Kept manifests, and the state objects that a
//! kept manifest names, are not deleted. (3) Objects of larger epochs than the owner's epoch are not deleted, because a
//! new owner may need them.

use std::collections::BTreeSet;

use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::store::ListedObject;
use crate::identifiers::Partition;

/// Returns the names of all `listed` objects of `partition` that may be deleted. An object must stay if it is a `kept`
/// manifest, or if a `kept` manifest names it. An object must also stay if it is newer than the completed checkpoint
/// `newest`.
pub(super) fn find_unneeded_objects(
    partition: Partition,
    listed: &[ListedObject],
    kept: &[CheckpointManifest],
    newest: CheckpointId,
) -> Vec<String> {
    let needed: BTreeSet<&str> = kept
        .iter()
        .flat_map(|manifest| &manifest.layers)
        .flat_map(|layer| &layer.parts)
        .map(|part| part.object_name.as_str())
        .collect();
    let ids: BTreeSet<CheckpointId> = kept.iter().map(|manifest| manifest.checkpoint_id).collect();
    let unneeded = listed.iter().filter(|object| match object_names::parse_object_name(&object.object_name) {
        ParsedObjectName::Epoch(owner, epoch) => owner == partition && epoch < newest.epoch,
        ParsedObjectName::Checkpoint(owner, id) => owner == partition && id < newest && !ids.contains(&id),
        ParsedObjectName::State(owner, id) => {
            owner == partition && id <= newest && !needed.contains(object.object_name.as_str())
        }
        ParsedObjectName::Other => false,
    });
    unneeded.map(|object| object.object_name.clone()).collect()
}

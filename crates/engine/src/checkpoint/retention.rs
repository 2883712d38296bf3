//! Finds the objects of a partition that no kept checkpoint needs.
//!
//! Owns: the decision which objects may be deleted. Invariants: (1) Only the owner of a partition deletes its objects,
//! after a complete checkpoint. (2) The kept manifests and the objects that they name stay. (3) Objects of larger
//! epochs stay, because a new owner may need them.

use std::collections::BTreeSet;

use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::store::ListedObject;
use crate::identifiers::Partition;

/// Returns the names of all `listed` objects of `partition` that the `kept` manifests do not need. Objects that are
/// newer than checkpoint `newest`, which was just completed, count as needed.
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

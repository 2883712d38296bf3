//! Finds objects that no kept checkpoint needs.
//!
//! Owns: the decision which objects of a partition may be deleted. Invariants: (1) Only the owner deletes, after a
//! complete checkpoint of its own. (2) The kept manifests and the objects they name stay. (3) Larger epochs and their
//! objects stay, because another owner may be about to use them.

use std::collections::BTreeSet;

use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::store::ListedObject;
use crate::identifiers::Partition;

/// Returns the names of all `listed` objects of a partition that the `kept` manifests do not need. `newest` is the
/// checkpoint just completed.
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
        .map(|part| part.name.as_str())
        .collect();
    let ids: BTreeSet<CheckpointId> = kept.iter().map(|manifest| manifest.id).collect();
    let unneeded = listed.iter().filter(|object| match object_names::parse_object_name(&object.name) {
        ParsedObjectName::Epoch(owner, epoch) => owner == partition && epoch < newest.epoch,
        ParsedObjectName::Checkpoint(owner, id) => owner == partition && id < newest && !ids.contains(&id),
        ParsedObjectName::State(owner, id) => {
            owner == partition && id <= newest && !needed.contains(object.name.as_str())
        }
        ParsedObjectName::Other => false,
    });
    unneeded.map(|object| object.name.clone()).collect()
}

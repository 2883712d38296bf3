//! Deleting what no checkpoint needs.
//!
//! Owns: which objects of a partition may be deleted. Invariants: (1) only the owner deletes, after a complete checkpoint of
//! its own; (2) the kept manifests and what they name stay; so do larger epochs and what belongs to them, since another
//! owner may be about to use them.

use std::collections::BTreeSet;

use super::manifest::{CheckpointId, CheckpointManifest};
use super::object_names::{self, ParsedObjectName};
use super::store::ListedObject;
use crate::identifiers::Partition;

/// Of everything `listed` in a partition's folder, returns what is not needed beside the `kept` manifests, of which
/// `newest` is the one just completed.
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

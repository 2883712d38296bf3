//! Deleting what nobody needs any more.
//!
//! Owns: which objects of a partition may go. Invariants: (1) only the owner deletes, after a complete checkpoint of its
//! own; (2) the kept manifests and what they name stay, so do larger epochs and what belongs to them: somebody else may
//! be about to use them.

use std::collections::BTreeSet;

use super::names::{self, ParsedObjectName};
use super::{CheckpointId, CheckpointManifest, ListedObject};
use crate::Partition;

/// Of everything `listed` in a partition's folder, what is not needed beside the `kept` manifests, of which `newest` is
/// the one just completed.
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
    let superfluous = listed.iter().filter(|object| match names::parse_object_name(&object.name) {
        ParsedObjectName::Epoch(of, epoch) => of == partition && epoch < newest.epoch,
        ParsedObjectName::Checkpoint(of, id) => of == partition && id < newest && !ids.contains(&id),
        ParsedObjectName::State(of, id) => of == partition && id <= newest && !needed.contains(object.name.as_str()),
        ParsedObjectName::Other => false,
    });
    superfluous.map(|object| object.name.clone()).collect()
}

//! Copies the state objects of an older checkpoint under names of a new one.
//!
//! A checkpoint that continues an older one would otherwise name objects which an earlier owner, or the retention of
//! earlier checkpoints, may have told the store to delete. A store may execute a deletion long after its caller has
//! given up. No earlier deletion contains the name of a copy, because its epoch is new.

use super::create_object::create_or_compare_object;
use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart};
use super::object_errors::{ObjectDamage, UnusableObject};
use super::object_names;
use super::restore_shard::CheckpointReadOutcome;
use super::store::StoreFault;
use super::store_retry::StoreRetry;
use crate::Halt;
use crate::halt::CheckpointStoreFault;

/// The copies that one opening of a partition has made.
#[derive(Debug, Default)]
pub(super) struct StateObjectCopies {
    /// The number of the next copy. It grows also if a checkpoint cannot be copied completely, so no name is used twice.
    next_part: usize,
}

impl StateObjectCopies {
    /// Copies all state objects of `continued` under names of the checkpoint `id`. Returns the layers with these names,
    /// or the first object that is missing or damaged.
    ///
    /// # Errors
    /// A halt if the store refuses a call, or holds another object under the name of a copy. A halt if a stop was
    /// requested while the store was unreachable, or if the opening is abandoned.
    pub(super) fn copy_layers(
        &mut self,
        retry: &StoreRetry<'_>,
        continued: &CheckpointManifest,
        id: CheckpointId,
    ) -> Result<CheckpointReadOutcome<Vec<CheckpointLayer>>, Halt> {
        let store = &*retry.checkpoint_config.checkpoint_store;
        let mut layers = Vec::with_capacity(continued.layers.len());
        for layer in &continued.layers {
            let mut parts = Vec::with_capacity(layer.parts.len());
            for part in &layer.parts {
                retry.fail_if_abandoned()?;
                let bytes = match retry.retry_while_unreachable(|| store.read_object(&part.object_name))? {
                    Some(bytes) if part.matches_size_and_checksum(&bytes) => bytes,
                    found => {
                        let damage = found.map_or(ObjectDamage::Missing, |_| ObjectDamage::ManifestMismatch);
                        let unusable = UnusableObject::from_damage(&part.object_name, damage);
                        return Ok(CheckpointReadOutcome::Damaged(unusable));
                    }
                };
                let name = object_names::state_object_name(continued.partition, id, self.next_part);
                self.next_part += 1;
                if !retry.retry_while_unreachable(|| create_or_compare_object(store, &name, &bytes))? {
                    let place = store.place().to_owned();
                    return Err(CheckpointStoreFault::Refused { place, source: StoreFault::Exists }.into());
                }
                parts.push(StatePart { object_name: name, ..part.clone() });
            }
            layers.push(CheckpointLayer { parts });
        }
        Ok(CheckpointReadOutcome::Whole(layers))
    }
}

//! Reads the state objects that manifests name, and counts the bytes of state per feature view.
//!
//! Owns: the comparison of a state object with its manifest, and the counting of the object's bytes per feature view.
//! Does not own: the format of the state in the object (snapshots in `windrow-core`).
//! Invariant: a state object is read only once, even if several manifests name the object.

use std::collections::BTreeMap;

use windrow_core::LayerByteCounter;

use crate::checkpoint::manifest::{CheckpointLayer, CheckpointManifest, StatePart};
use crate::checkpoint::object_errors::{ObjectDamage, ObjectFault, UnusableObject};
use crate::checkpoint::state_object;
use crate::checkpoint::store::{CheckpointStore, StoreFault};

/// The sizes of a checkpoint's state before compression.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StateByteCounts {
    /// The number of bytes that the entity keys take in the state objects.
    pub entity_key_byte_count: u64,
    /// For each feature view of the manifest, the number of bytes of the view's state. If several layers hold state of
    /// the same entity, this number includes the bytes in every layer.
    pub state_byte_counts_by_view: Vec<u64>,
    /// The state objects that cannot be used. The other fields do not count the bytes of these objects, nor of the
    /// objects behind them in the same layer.
    pub unusable_objects: Vec<UnusableObject>,
}

/// Reads the state objects of a store. The reader stores the byte counts of each layer, so that no object is read
/// twice.
#[derive(Debug)]
pub struct StateObjectReader<'a> {
    store: &'a dyn CheckpointStore,
    measured_layers: Vec<MeasuredLayer>,
}

/// A layer, with the byte counts of the tables in each of its state objects. Table 0 holds the entity keys, and table
/// `n + 1` holds the state of view `n`.
#[derive(Debug)]
struct MeasuredLayer {
    layer: CheckpointLayer,
    byte_counts_by_part: Vec<Result<BTreeMap<usize, usize>, ObjectFault>>,
}

impl<'a> StateObjectReader<'a> {
    /// Creates a reader that has not read any object of `store` yet.
    #[must_use]
    pub const fn new(store: &'a dyn CheckpointStore) -> Self {
        Self { store, measured_layers: Vec::new() }
    }

    /// Returns the byte counts of all state objects of `manifest`. Calls `on_part` after each state object, so that the
    /// caller can show the progress.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn measure_checkpoint_objects(
        &mut self,
        manifest: &CheckpointManifest,
        mut on_part: impl FnMut(&StatePart),
    ) -> Result<StateByteCounts, StoreFault> {
        let mut contents =
            StateByteCounts { state_byte_counts_by_view: vec![0; manifest.views.len()], ..StateByteCounts::default() };
        for layer in &manifest.layers {
            let known = self.measured_layers.iter().position(|measured| measured.layer == *layer);
            let index = match known {
                Some(index) => {
                    layer.parts.iter().for_each(&mut on_part);
                    index
                }
                None => {
                    self.measured_layers.push(measure_layer(self.store, layer, &mut on_part)?);
                    self.measured_layers.len() - 1
                }
            };
            for (part, byte_counts) in layer.parts.iter().zip(&self.measured_layers[index].byte_counts_by_part) {
                if let Err(fault) = add_part_byte_counts(byte_counts, &mut contents) {
                    contents.unusable_objects.push(UnusableObject { object_name: part.object_name.clone(), fault });
                }
            }
        }
        Ok(contents)
    }
}

/// Reads the state objects of `layer` and counts their bytes. A block belongs to the object in which it ends.
fn measure_layer(
    store: &dyn CheckpointStore,
    layer: &CheckpointLayer,
    on_part: &mut impl FnMut(&StatePart),
) -> Result<MeasuredLayer, StoreFault> {
    let mut byte_counts_by_part = Vec::new();
    // Behind an unusable object, nothing is counted: the next object may begin inside a block.
    let mut counter = Some(LayerByteCounter::default());
    for (index, part) in layer.parts.iter().enumerate() {
        let object = store.read_object(&part.object_name)?;
        let counted = unpack_part(part, object.as_deref()).and_then(|state| {
            let Some(counter) = &mut counter else { return Ok(BTreeMap::new()) };
            let mut counted = counter.count_part(&state);
            if index + 1 == layer.parts.len() {
                counted = counted.and_then(|counts| counter.finish_layer().map(|()| counts));
            }
            counted.map_err(|damage| ObjectDamage::InvalidSnapshot(damage).into())
        });
        if counted.is_err() {
            counter = None;
        }
        byte_counts_by_part.push(counted);
        on_part(part);
    }
    Ok(MeasuredLayer { layer: layer.clone(), byte_counts_by_part })
}

/// Returns the unpacked content of the state object `object`. Fails if the object is missing or damaged, or differs
/// from `part`, its entry in the manifest.
fn unpack_part(part: &StatePart, object: Option<&[u8]>) -> Result<Vec<u8>, ObjectFault> {
    let object = object.ok_or(ObjectDamage::Missing)?;
    if !part.matches_size_and_checksum(object) {
        return Err(ObjectDamage::ManifestMismatch.into());
    }
    state_object::unpack_state(object)
}

/// Adds the byte counts of one state object to `contents`, the byte counts of the whole checkpoint.
fn add_part_byte_counts(
    byte_counts: &Result<BTreeMap<usize, usize>, ObjectFault>,
    contents: &mut StateByteCounts,
) -> Result<(), ObjectFault> {
    let bytes_by_table = byte_counts.as_ref().map_err(Clone::clone)?;
    if bytes_by_table.keys().any(|table| *table > contents.state_byte_counts_by_view.len()) {
        return Err(ObjectDamage::UnknownView.into());
    }
    for (table, bytes) in bytes_by_table {
        let total = match table.checked_sub(1) {
            None => &mut contents.entity_key_byte_count,
            Some(view) => &mut contents.state_byte_counts_by_view[view],
        };
        *total += *bytes as u64;
    }
    Ok(())
}

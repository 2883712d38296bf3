//! Reads the state objects that manifests name, and counts the bytes of state per feature view.
//!
//! Owns: the comparison of a state object with its manifest, and the counting of the object's bytes per feature view.
//! Does not own: the format of the state in the object (snapshots in `windrow-core`).
//! Invariant: a state object is read only once, even if several manifests name the object.

use std::collections::BTreeMap;

use windrow_core::count_snapshot_bytes_by_table;

use crate::checkpoint::manifest::{CheckpointManifest, StatePart};
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
    /// The state objects that cannot be used. The other fields do not count the bytes of these objects.
    pub unusable_objects: Vec<UnusableObject>,
}

/// Reads the state objects of a store. The reader stores the byte counts of each object, so that no object is read
/// twice.
#[derive(Debug)]
pub struct StateObjectReader<'a> {
    store: &'a dyn CheckpointStore,
    measured_by_name: BTreeMap<String, Option<MeasuredStateObject>>,
}

/// The byte counts of the tables in a state object. Table 0 holds the entity keys, and table `n + 1` holds the state of
/// view `n`.
#[derive(Debug)]
struct MeasuredStateObject {
    part: StatePart,
    byte_counts_by_table: Result<BTreeMap<usize, usize>, ObjectFault>,
}

impl<'a> StateObjectReader<'a> {
    /// Creates a reader that has not read any object of `store` yet.
    #[must_use]
    pub const fn new(store: &'a dyn CheckpointStore) -> Self {
        Self { store, measured_by_name: BTreeMap::new() }
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
        for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
            if let Err(fault) = add_part_byte_counts(part, self.measure_part_once(part)?, &mut contents) {
                contents.unusable_objects.push(UnusableObject { object_name: part.object_name.clone(), fault });
            }
            on_part(part);
        }
        Ok(contents)
    }

    /// Returns the byte counts of the state object that the manifest entry `part` names; `None` if the object does not
    /// exist. Reads the object unless an earlier call has read the same object.
    fn measure_part_once(&mut self, part: &StatePart) -> Result<Option<&MeasuredStateObject>, StoreFault> {
        if !self.measured_by_name.contains_key(&part.object_name) {
            let object = self
                .store
                .read_object(&part.object_name)?
                .map(|object| measure_state_object(&part.object_name, &object));
            self.measured_by_name.insert(part.object_name.clone(), object);
        }
        Ok(self.measured_by_name.get(&part.object_name).and_then(Option::as_ref))
    }
}

/// Adds the byte counts of the state object `object` to `contents`, the byte counts of the whole checkpoint. Fails if
/// the object is missing or damaged. Also fails if the object differs from `part`, its entry in the manifest.
fn add_part_byte_counts(
    part: &StatePart,
    object: Option<&MeasuredStateObject>,
    contents: &mut StateByteCounts,
) -> Result<(), ObjectFault> {
    let object = object.ok_or(ObjectDamage::Missing)?;
    if object.part != *part {
        return Err(ObjectDamage::ManifestMismatch.into());
    }
    let bytes_by_table = object.byte_counts_by_table.as_ref().map_err(Clone::clone)?;
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

fn measure_state_object(name: &str, object: &[u8]) -> MeasuredStateObject {
    let measure = |bytes: Vec<u8>| {
        count_snapshot_bytes_by_table(&bytes).map_err(|damage| ObjectFault::from(ObjectDamage::InvalidSnapshot(damage)))
    };
    MeasuredStateObject {
        part: StatePart::entry_for_object(name.to_owned(), object),
        byte_counts_by_table: state_object::unpack_state(object).and_then(measure),
    }
}

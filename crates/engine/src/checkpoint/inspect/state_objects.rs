//! Reads the state objects that manifests name, and measures their content.
//!
//! Owns: checking an object against its manifest, and counting its bytes per view. Does not own: the meaning of the
//! records in an object (the core).
//! Invariant: an object is read once, even if several checkpoints name this object.

use std::collections::BTreeMap;

use windrow_core::count_snapshot_bytes_by_table;

use crate::checkpoint::manifest::{CheckpointManifest, StatePart};
use crate::checkpoint::object_faults::{ObjectDamage, ObjectFault, UnusableObject};
use crate::checkpoint::state_object;
use crate::checkpoint::store::{CheckpointStore, StoreFault};

/// The unpacked size of a checkpoint's state objects.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StateByteCounts {
    /// The number of bytes that the entity keys take.
    pub entity_key_byte_count: u64,
    /// The number of state bytes of each view, in the manifest's order. An entity's state counts once in each layer
    /// that holds it.
    pub state_byte_counts_by_view: Vec<u64>,
    /// The objects that cannot be used. The other fields do not count their content.
    pub unusable_objects: Vec<UnusableObject>,
}

/// Reads the state objects of a store, each object once.
#[derive(Debug)]
pub struct StateObjectReader<'a> {
    store: &'a dyn CheckpointStore,
    measured_by_name: BTreeMap<String, Option<MeasuredStateObject>>,
}

/// A state object that was read and measured.
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

    /// Measures all state objects of `manifest`. Reads each object unless an earlier call has read it. Calls `on_part`
    /// after each object.
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

    /// Reads and measures the object of `part`, unless an earlier call has measured it. Returns `None` if the object
    /// does not exist.
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

/// Adds the byte counts of `part` to `contents`. Fails if the object is missing or damaged, or does not match its
/// manifest.
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

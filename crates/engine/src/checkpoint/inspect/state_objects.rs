//! Reading the state objects that manifests name.
//!
//! Owns: whether they are what was written, and how many bytes of what is in them. Does not own: what their records mean
//! (the core).
//! Invariant: an object is read once, however many checkpoints name it.

use std::collections::BTreeMap;

use windrow_core::measure_snapshot_tables;

use crate::checkpoint::format::{FormatFault, ObjectDamage, UnusableObject};
use crate::checkpoint::manifest::{CheckpointManifest, StatePart};
use crate::checkpoint::state_object;
use crate::checkpoint::store::{CheckpointStore, StoreFault};

/// What a checkpoint's state objects hold, unpacked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StateContents {
    /// Bytes of entity keys.
    pub key_bytes: u64,
    /// Per view of the manifest, bytes of its state. Slots that later layers replace count as often as they are stored.
    pub view_bytes: Vec<u64>,
    /// The objects that cannot be used; what they hold is not counted.
    pub unusable: Vec<UnusableObject>,
}

/// Reads the state objects of a store, each of them once.
#[derive(Debug)]
pub struct StateObjectReader<'a> {
    store: &'a dyn CheckpointStore,
    surveyed: BTreeMap<String, Option<SurveyedObject>>,
}

/// A state object that was read.
#[derive(Debug)]
struct SurveyedObject {
    part: StatePart,
    bytes_by_table: Result<BTreeMap<usize, usize>, FormatFault>,
}

impl<'a> StateObjectReader<'a> {
    /// A reader that has read none of the objects of `store`.
    #[must_use]
    pub const fn new(store: &'a dyn CheckpointStore) -> Self {
        Self { store, surveyed: BTreeMap::new() }
    }

    /// Reads every state object of `manifest` that was not read before. Calls `on_part` for each, read or not.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn read(
        &mut self,
        manifest: &CheckpointManifest,
        mut on_part: impl FnMut(&StatePart),
    ) -> Result<StateContents, StoreFault> {
        let mut contents = StateContents { view_bytes: vec![0; manifest.views.len()], ..StateContents::default() };
        for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
            if let Err(fault) = add_part(part, self.survey_part(part)?, &mut contents) {
                contents.unusable.push(UnusableObject { object: part.name.clone(), fault });
            }
            on_part(part);
        }
        Ok(contents)
    }

    /// Returns what is stored as `part`; `None` where there is no such object.
    fn survey_part(&mut self, part: &StatePart) -> Result<Option<&SurveyedObject>, StoreFault> {
        if !self.surveyed.contains_key(&part.name) {
            let object = self.store.read(&part.name)?.map(|object| survey_object(&part.name, &object));
            self.surveyed.insert(part.name.clone(), object);
        }
        Ok(self.surveyed.get(&part.name).and_then(Option::as_ref))
    }
}

/// Adds the bytes of `part` to `contents`.
fn add_part(
    part: &StatePart,
    object: Option<&SurveyedObject>,
    contents: &mut StateContents,
) -> Result<(), FormatFault> {
    let object = object.ok_or(ObjectDamage::Missing)?;
    if object.part != *part {
        return Err(ObjectDamage::Replaced.into());
    }
    let bytes_by_table = object.bytes_by_table.as_ref().map_err(Clone::clone)?;
    if bytes_by_table.keys().any(|table| *table > contents.view_bytes.len()) {
        return Err(ObjectDamage::UnknownView.into());
    }
    for (table, bytes) in bytes_by_table {
        let total = match table.checked_sub(1) {
            None => &mut contents.key_bytes,
            Some(view) => &mut contents.view_bytes[view],
        };
        *total += *bytes as u64;
    }
    Ok(())
}

fn survey_object(name: &str, object: &[u8]) -> SurveyedObject {
    let measure = |bytes: Vec<u8>| {
        measure_snapshot_tables(&bytes).map_err(|damage| FormatFault::from(ObjectDamage::Snapshot(damage)))
    };
    SurveyedObject {
        part: StatePart::describe(name.to_owned(), object),
        bytes_by_table: state_object::unpack_state(object).and_then(measure),
    }
}

//! Reading the state objects that manifests name.
//!
//! Owns: whether they are what was written, and how much of what is in them. Does not own: what their records mean (the
//! core).
//! Invariant: an object is read once, however many checkpoints name it.

use std::collections::BTreeMap;

use windrow_core::measure_snapshot_tables;

use super::UnusableObject;
use crate::checkpoint::state::{self, FormatFault};
use crate::checkpoint::{CheckpointManifest, CheckpointStore, StatePart, StoreFault};

/// What a checkpoint's state objects hold, unpacked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StateContents {
    /// Bytes of entity keys.
    pub key_bytes: u64,
    /// Per view of the manifest, bytes of its state. Slots that later layers replace count as often as they stand there.
    pub view_bytes: Vec<u64>,
    /// The objects that cannot be used; what they hold is not counted.
    pub unusable: Vec<UnusableObject>,
}

/// The state objects of a store, as far as they were looked at.
#[derive(Debug)]
pub struct StateObjectReader<'a> {
    store: &'a dyn CheckpointStore,
    surveyed: BTreeMap<String, SurveyedObject>,
}

#[derive(Debug)]
struct SurveyedObject {
    /// Size and checksum; `None` where there is no such object.
    size_and_checksum: Option<(u64, u32)>,
    /// Bytes by table.
    bytes_by_table: Result<BTreeMap<usize, usize>, FormatFault>,
}

impl<'a> StateObjectReader<'a> {
    /// Those of `store`, none of them looked at.
    #[must_use]
    pub const fn new(store: &'a dyn CheckpointStore) -> Self {
        Self { store, surveyed: BTreeMap::new() }
    }

    /// Reads every state object of `manifest` that was not read before; `each` hears of every one, read or not.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn read(
        &mut self,
        manifest: &CheckpointManifest,
        mut on_part: impl FnMut(&StatePart),
    ) -> Result<StateContents, StoreFault> {
        let mut contents = StateContents { view_bytes: vec![0; manifest.views.len()], ..StateContents::default() };
        for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
            if let Err(fault) = self.add_part(part, &mut contents)? {
                contents.unusable.push(UnusableObject { object: part.name.clone(), fault });
            }
            on_part(part);
        }
        Ok(contents)
    }

    fn add_part(
        &mut self,
        part: &StatePart,
        contents: &mut StateContents,
    ) -> Result<Result<(), FormatFault>, StoreFault> {
        if !self.surveyed.contains_key(&part.name) {
            let seen = survey_object(self.store.read(&part.name)?.as_deref());
            self.surveyed.insert(part.name.clone(), seen);
        }
        let damaged = |why: &str| Ok(Err(FormatFault::Damaged(why.to_owned())));
        let Some(SurveyedObject { size_and_checksum: Some(is), bytes_by_table: tables }) =
            self.surveyed.get(&part.name)
        else {
            return damaged("it is missing");
        };
        if *is != (part.bytes, part.crc32) {
            return damaged("it is not what was written");
        }
        let tables = match tables {
            Ok(tables) => tables,
            Err(fault) => return Ok(Err(fault.clone())),
        };
        if tables.keys().any(|table| *table > contents.view_bytes.len()) {
            return damaged("it holds a view that the manifest does not name");
        }
        for (table, bytes) in tables {
            let total = match table.checked_sub(1) {
                None => &mut contents.key_bytes,
                Some(view) => &mut contents.view_bytes[view],
            };
            *total += *bytes as u64;
        }
        Ok(Ok(()))
    }
}

fn survey_object(object: Option<&[u8]>) -> SurveyedObject {
    let Some(object) = object else {
        return SurveyedObject { size_and_checksum: None, bytes_by_table: Ok(BTreeMap::new()) };
    };
    let surveyed =
        |bytes: Vec<u8>| measure_snapshot_tables(&bytes).map_err(|damaged| FormatFault::Damaged(damaged.to_string()));
    SurveyedObject {
        size_and_checksum: Some((object.len() as u64, state::object_checksum(object))),
        bytes_by_table: state::unpack_state(object).and_then(surveyed),
    }
}

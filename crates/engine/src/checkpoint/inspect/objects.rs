//! Reading the state objects that manifests name.
//!
//! Owns: whether they are what was written, and how much of what is in them. Does not own: what their records mean (the
//! core).
//! Invariant: an object is read once, however many checkpoints name it.

use std::collections::BTreeMap;

use windrow_core::survey;

use super::Unusable;
use crate::checkpoint::state::{self, FormatFault};
use crate::checkpoint::{CheckpointStore, Manifest, Part, StoreFault};

/// What a checkpoint's state objects hold, unpacked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Contents {
    /// Bytes of entity keys.
    pub key_bytes: u64,
    /// Per view of the manifest, bytes of its state. Slots that later layers replace count as often as they stand there.
    pub view_bytes: Vec<u64>,
    /// The objects that cannot be used; what they hold is not counted.
    pub unusable: Vec<Unusable>,
}

/// The state objects of a store, as far as they were looked at.
#[derive(Debug)]
pub struct StateObjects<'a> {
    store: &'a dyn CheckpointStore,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Size and checksum; `None` where there is no such object.
    is: Option<(u64, u32)>,
    /// Bytes by table.
    tables: Result<BTreeMap<usize, usize>, FormatFault>,
}

impl<'a> StateObjects<'a> {
    /// Those of `store`, none of them looked at.
    #[must_use]
    pub const fn new(store: &'a dyn CheckpointStore) -> Self {
        Self { store, seen: BTreeMap::new() }
    }

    /// Reads every state object of `manifest` that was not read before; `each` hears of every one, read or not.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn read(&mut self, manifest: &Manifest, mut each: impl FnMut(&Part)) -> Result<Contents, StoreFault> {
        let mut contents = Contents { view_bytes: vec![0; manifest.views.len()], ..Contents::default() };
        for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
            if let Err(fault) = self.add(part, &mut contents)? {
                contents.unusable.push(Unusable { object: part.name.clone(), fault });
            }
            each(part);
        }
        Ok(contents)
    }

    fn add(&mut self, part: &Part, contents: &mut Contents) -> Result<Result<(), FormatFault>, StoreFault> {
        if !self.seen.contains_key(&part.name) {
            let seen = look(self.store.read(&part.name)?.as_deref());
            self.seen.insert(part.name.clone(), seen);
        }
        let damaged = |why: &str| Ok(Err(FormatFault::Damaged(why.to_owned())));
        let Some(Seen { is: Some(is), tables }) = self.seen.get(&part.name) else { return damaged("it is missing") };
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

fn look(object: Option<&[u8]>) -> Seen {
    let Some(object) = object else { return Seen { is: None, tables: Ok(BTreeMap::new()) } };
    let surveyed = |bytes: Vec<u8>| survey(&bytes).map_err(|damaged| FormatFault::Damaged(damaged.to_string()));
    Seen { is: Some((object.len() as u64, state::checksum(object))), tables: state::unpack(object).and_then(surveyed) }
}

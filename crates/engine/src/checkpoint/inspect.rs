//! Looking at checkpoints and savepoints without restoring them.
//!
//! Owns: what there is in a store, and whether it is whole. Changes nothing.

use std::collections::BTreeMap;

use windrow_core::survey;

use super::names::{self, Named};
use super::{CheckpointId, CheckpointStore, Manifest, StoreFault, state};
use crate::Partition;

/// A checkpoint in a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its partition.
    pub partition: Partition,
    /// Which one it is.
    pub id: CheckpointId,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<Manifest, String>,
}

/// What a checkpoint's state objects hold, unpacked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Contents {
    /// Bytes of entity keys.
    pub key_bytes: u64,
    /// Per view, bytes of its state. Slots that later layers replace count as often as they stand there.
    pub view_bytes: Vec<u64>,
}

/// All checkpoints in `store`, by partition, oldest first.
///
/// # Errors
/// When the store cannot be asked.
pub fn list(store: &dyn CheckpointStore) -> Result<Vec<Found>, StoreFault> {
    let mut found = Vec::new();
    for object in store.list("")? {
        if let Named::Checkpoint(partition, id) = names::parse(&object.name) {
            let manifest = match store.read(&object.name)? {
                Some(bytes) => Manifest::read(&bytes).map_err(|fault| fault.to_string()),
                None => continue, // deleted in the meantime
            };
            found.push(Found { partition, id, manifest });
        }
    }
    found.sort_by_key(|found| (found.partition, found.id));
    Ok(found)
}

/// Reads every state object of `manifest`: what is in them, or why one cannot be used.
///
/// # Errors
/// When the store cannot be asked.
pub fn read(store: &dyn CheckpointStore, manifest: &Manifest) -> Result<Result<Contents, String>, StoreFault> {
    let mut contents = Contents { key_bytes: 0, view_bytes: vec![0; manifest.views.len()] };
    for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
        let Some(object) = store.read(&part.name)? else {
            return Ok(Err(format!("{} is missing", part.name)));
        };
        if object.len() as u64 != part.bytes || state::checksum(&object) != part.crc32 {
            return Ok(Err(format!("{} is not what was written", part.name)));
        }
        let tables: BTreeMap<usize, usize> = match state::unpack(&object).map_err(|fault| fault.to_string()) {
            Ok(bytes) => match survey(&bytes) {
                Ok(tables) => tables,
                Err(damaged) => return Ok(Err(format!("{}: {damaged}", part.name))),
            },
            Err(reason) => return Ok(Err(format!("{}: {reason}", part.name))),
        };
        for (table, bytes) in tables {
            match table.checked_sub(1) {
                None => contents.key_bytes += bytes as u64,
                Some(view) => match contents.view_bytes.get_mut(view) {
                    Some(total) => *total += bytes as u64,
                    None => return Ok(Err(format!("{} holds a view that the manifest does not name", part.name))),
                },
            }
        }
    }
    Ok(Ok(contents))
}

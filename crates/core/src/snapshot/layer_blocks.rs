//! Reads the blocks of a layer from its parts. A block may begin in one part and end in a later one.
//!
//! Owns: the bytes of a block whose end has not been read yet. Does not own: the content of a block.
//! Invariant: the reader holds at most the bytes that it was given since the last whole block.

use std::collections::BTreeMap;

use super::encoding::{DamagedSnapshot, SnapshotReader};

/// The blocks of one layer, read part by part.
#[derive(Debug, Default)]
pub(crate) struct LayerBlockReader {
    unread_bytes: Vec<u8>,
}

impl LayerBlockReader {
    /// Adds the next part of the layer. Calls `on_block` with the table number and the saved slots of each block that
    /// is now whole.
    pub(crate) fn add_part(
        &mut self,
        part: &[u8],
        mut on_block: impl FnMut(u64, &[u8]) -> Result<(), DamagedSnapshot>,
    ) -> Result<(), DamagedSnapshot> {
        self.unread_bytes.extend_from_slice(part);
        let mut reader = SnapshotReader::new(&self.unread_bytes);
        let mut unread = reader.remaining_byte_count();
        // A block that cannot be read yet ends in a later part. If no part follows, `finish_layer` gives the error.
        while let (Ok(table), Ok(records)) = (reader.read_unsigned(), reader.read_bytes()) {
            on_block(table, records)?;
            unread = reader.remaining_byte_count();
        }
        self.unread_bytes.drain(..self.unread_bytes.len() - unread);
        Ok(())
    }

    /// Ends the layer.
    ///
    /// # Errors
    /// Fails when the last part ends inside a block.
    pub(crate) fn finish_layer(&mut self) -> Result<(), DamagedSnapshot> {
        if std::mem::take(&mut self.unread_bytes).is_empty() {
            Ok(())
        } else {
            Err(DamagedSnapshot("a layer that ends inside a block"))
        }
    }
}

/// Counts the bytes of each table in a layer, without decoding the saved slots. Table 0 holds the entity keys, table
/// `n + 1` the state of view `n`.
#[derive(Debug, Default)]
pub struct LayerByteCounter(LayerBlockReader);

impl LayerByteCounter {
    /// Counts the bytes of the blocks that end in `part`, the next part of the layer. Returns a map from table number
    /// to bytes.
    ///
    /// # Errors
    /// Fails when the bytes are not those of a snapshot.
    pub fn count_part(&mut self, part: &[u8]) -> Result<BTreeMap<usize, usize>, DamagedSnapshot> {
        let mut tables = BTreeMap::new();
        self.0.add_part(part, |table, records| {
            let table = usize::try_from(table).map_err(|_| DamagedSnapshot("a table number that is too large"))?;
            *tables.entry(table).or_insert(0) += records.len();
            Ok(())
        })?;
        Ok(tables)
    }

    /// Ends the layer.
    ///
    /// # Errors
    /// Fails when the last part ends inside a block.
    pub fn finish_layer(&mut self) -> Result<(), DamagedSnapshot> {
        self.0.finish_layer()
    }
}

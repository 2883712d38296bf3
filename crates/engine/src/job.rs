//! What a worker computes.

use std::sync::Arc;

use windrow_core::{EventSchema, FeatureView, HashKey, Shard};

use crate::halt::InputFault;
use crate::{EventDecoder, Halt, SourceRecord};

/// A pipeline as its workers know it.
#[derive(Clone, Debug)]
pub struct JobDefinition {
    /// The feature views, in the pipeline's order.
    pub views: Arc<[FeatureView]>,
    /// The event's fields.
    pub schema: EventSchema,
    /// How far event times may be out of order, in milliseconds.
    pub max_out_of_orderness_ms: i64,
    /// Turns records into events.
    pub decoder: EventDecoder,
    /// The topic (or file) the records come from, for dead letters.
    pub topic: Arc<str>,
    /// The key of the hash tables.
    pub hash_key: HashKey,
    /// Whether a record without a key must be refused: true for topics of several partitions, where it would scatter an
    /// entity's events.
    pub keys_required: bool,
}

impl JobDefinition {
    /// Returns a shard without state.
    pub(crate) fn new_shard(&self) -> Shard {
        Shard::new(self.views.iter(), &self.schema, self.max_out_of_orderness_ms, self.hash_key)
    }

    /// Describes everything besides the views that decides which rows events give. Checkpoints keep it.
    pub(crate) fn describe_decoding_rules(&self) -> String {
        let late = self.max_out_of_orderness_ms;
        format!(
            "{}, out of order up to {late} ms, Windrow {}",
            self.decoder.describe_decoding(),
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Halts at a record without a key where the topic needs keys.
    pub(crate) fn check_record_key(&self, record: &SourceRecord<'_>) -> Result<(), Halt> {
        if self.keys_required && record.key.is_none() {
            return Err(InputFault::RecordWithoutKey {
                topic: Arc::clone(&self.topic),
                partition: record.partition,
                offset: record.offset,
                key_field: self.schema.key_name().to_owned(),
            }
            .into());
        }
        Ok(())
    }
}

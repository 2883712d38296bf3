//! What tests need to run a worker over a pipeline without Kafka and Redis.

use std::path::Path;
use std::sync::Arc;

use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, DecodeRules, EventDecoder, JobDefinition};
use windrow_spec::Pipeline;

/// Defines the job of `pipeline` over `topic`, with a fixed hash key.
pub(crate) fn define_job(pipeline: &Pipeline, topic: &str) -> JobDefinition {
    let event = &pipeline.event;
    JobDefinition {
        views: pipeline.views.iter().cloned().collect(),
        schema: event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: EventDecoder::new(DecodeRules {
            format: event.format,
            schema: event.schema.clone(),
            type_conversion: event.type_conversion,
            time_field: event.time_field.as_str().into(),
            time_number_unit: event.time_number_unit,
            time_text_format: event.time_text_format.as_deref().map(Into::into),
            time_zone: event.time_zone.clone(),
            max_key_bytes: event.max_key_bytes,
        }),
        topic: topic.into(),
        sip_hash_key: [7; 16],
        record_keys_required: false,
    }
}

/// Opens a folder as a checkpoint store.
pub(crate) fn open_folder_store(folder: &Path) -> Arc<dyn CheckpointStore> {
    let stores = ObjectStoreOpener::new().expect("object stores");
    stores.open_store(&format!("file:{}", folder.display())).expect("a folder")
}

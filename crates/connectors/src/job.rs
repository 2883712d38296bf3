//! Turns a pipeline into the job that a worker runs. The engine does not know the pipeline file, and the crate of the
//! pipeline file does not know the engine.

use windrow_core::SipHashKey;
use windrow_engine::{DecodeRules, EventDecoder, JobDefinition, Partition};
use windrow_spec::Pipeline;

/// The topic or the file that a job reads.
#[derive(Clone, Copy, Debug)]
pub struct JobInput<'a> {
    /// The name of the topic or file.
    pub name: &'a str,
    /// The number of partitions. A file has one.
    pub partition_count: Partition,
}

/// Creates the job of `pipeline` over `input`. Hash tables hash entity keys with `sip_hash_key`.
#[must_use]
pub fn define_job(pipeline: &Pipeline, input: JobInput<'_>, sip_hash_key: SipHashKey) -> JobDefinition {
    JobDefinition {
        views: pipeline.views.iter().cloned().collect(),
        schema: pipeline.event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        decoder: create_event_decoder(pipeline),
        topic: input.name.into(),
        sip_hash_key,
        // In a topic with several partitions, only keys bring all events of an entity into the same partition.
        record_keys_required: input.partition_count > 1,
    }
}

/// Creates the decoder for the records of `pipeline`.
#[must_use]
pub fn create_event_decoder(pipeline: &Pipeline) -> EventDecoder {
    let event = &pipeline.event;
    EventDecoder::new(DecodeRules {
        format: event.format,
        schema: event.schema.clone(),
        type_conversion: event.type_conversion,
        time_field: event.time_field.as_str().into(),
        time_number_unit: event.time_number_unit,
        time_text_format: event.time_text_format.as_deref().map(Into::into),
        time_zone: event.time_zone.clone(),
        max_key_bytes: event.max_key_bytes,
    })
}

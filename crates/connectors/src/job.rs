//! Turns a pipeline into the job that a worker runs. The engine does not know the pipeline file, and the crate of the
//! pipeline file does not know the engine.

use std::time::Duration;

use windrow_core::{MisplacedRecordPolicy, SipHashKey};
use windrow_engine::{
    ClockRules, DecodeRules, EventDecoder, IdleTimeout, JobDefinition, Partition, RecordPlacementRules,
};
use windrow_spec::{IdleTimeoutSpec, Pipeline};

use crate::kafka::PartitionGrowthPolicy;

/// The topic or the file that a job reads.
#[derive(Clone, Copy, Debug)]
pub struct JobInput<'a> {
    /// The name of the topic or file.
    pub name: &'a str,
    /// The number of partitions. A file has one.
    pub partition_count: Partition,
    /// Whether partitions may be added while the job runs, or were added before.
    pub growth_policy: PartitionGrowthPolicy,
}

impl<'a> JobInput<'a> {
    /// Describes a topic or file with one partition.
    #[must_use]
    pub const fn with_one_partition(name: &'a str) -> Self {
        Self { name, partition_count: 1, growth_policy: PartitionGrowthPolicy::Refuse }
    }
}

/// Creates the job of `pipeline` over `input`. The wall clock decides nothing in it: see [`define_clock_rules`]. Hash tables hash entity keys with `sip_hash_key`.
#[must_use]
pub fn define_job(pipeline: &Pipeline, input: JobInput<'_>, sip_hash_key: SipHashKey) -> JobDefinition {
    JobDefinition {
        views: pipeline.views.iter().cloned().collect(),
        schema: pipeline.event.schema.clone(),
        max_out_of_orderness_ms: pipeline.watermark.max_out_of_orderness_ms,
        clock_rules: ClockRules::default(),
        decoder: create_event_decoder(pipeline),
        topic: input.name.into(),
        sip_hash_key,
        record_placement: define_record_placement(pipeline, input),
    }
}

/// Returns what the wall clock decides in a live job of `pipeline`. Jobs over files and bounded jobs have no wall clock.
#[must_use]
pub fn define_clock_rules(pipeline: &Pipeline) -> ClockRules {
    let idle = |timeout_ms: i64, includes_history| IdleTimeout {
        duration: Duration::from_millis(timeout_ms.unsigned_abs()),
        includes_history,
    };
    ClockRules {
        idle_timeout: match pipeline.watermark.idle_timeout {
            IdleTimeoutSpec::Off => None,
            IdleTimeoutSpec::LivePartitions { timeout_ms } => Some(idle(timeout_ms, false)),
            IdleTimeoutSpec::AllPartitions { timeout_ms } => Some(idle(timeout_ms, true)),
        },
        max_future_ms: pipeline.watermark.future_limit.max_future_ms(),
    }
}

fn define_record_placement(pipeline: &Pipeline, input: JobInput<'_>) -> RecordPlacementRules {
    let source = pipeline.source.kafka();
    let known = RecordPlacementRules {
        partition_count: input.partition_count,
        declared_partitioner: source.partitioner,
        misplaced_policy: source.misplaced_record_policy,
    };
    match input.growth_policy {
        PartitionGrowthPolicy::Refuse => known,
        // After partitions were added, older records are where a smaller number of partitions put them. They are not where
        // the declared partitioner puts them now, but they are no evidence either. Without a declared partitioner, no
        // record may become a dead letter.
        PartitionGrowthPolicy::Accept => RecordPlacementRules {
            declared_partitioner: None,
            misplaced_policy: match known.misplaced_policy {
                MisplacedRecordPolicy::DeadLetter => MisplacedRecordPolicy::Warn,
                policy @ (MisplacedRecordPolicy::Warn | MisplacedRecordPolicy::Halt) => policy,
            },
            ..known
        },
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

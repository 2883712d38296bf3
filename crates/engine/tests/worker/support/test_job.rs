//! A small job, its checkpoints and its records.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{Aggregate, EmptyWindowPolicy, EventSchema, Feature, FeatureView, WindowKind};
use windrow_engine::checkpoint::{PartitionFaultPolicy, SnapshotLimits, StateIdentity};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, ClockRules, DecodeRules, EventDecoder, JobDefinition, NoRowFence, Offset,
    Partition, RecordPlacementRules, SourceRecord, UnknownLogHistory,
};

/// Windows of one second.
pub(crate) const ONE_SECOND_WINDOW: WindowKind = WindowKind::Sliding { size_ms: 1_000, slide_ms: 1_000 };

pub(crate) fn feature(name: &str, aggregate: Aggregate) -> Feature {
    Feature { name: name.into(), aggregate, condition: None, default_value: None }
}

/// Returns a job without lateness, with `views` over events of `schema` whose time is in the field `time_field`.
pub(crate) fn job_with_views(schema: EventSchema, time_field: &str, views: Vec<FeatureView>) -> JobDefinition {
    JobDefinition {
        views: views.into(),
        decoder: EventDecoder::new(DecodeRules::new(schema.clone(), time_field)),
        schema,
        max_out_of_orderness_ms: 0,
        clock_rules: ClockRules::default(),
        topic: "events".into(),
        sip_hash_key: [0; 16],
        record_placement: RecordPlacementRules::SINGLE_PARTITION,
    }
}

/// Returns a job that counts the events of each user in windows of one second.
pub(crate) fn counting_job() -> JobDefinition {
    let features = vec![feature("n", Aggregate::Count)];
    let view = FeatureView {
        name: "v".into(),
        window: ONE_SECOND_WINDOW,
        allowed_lateness_ms: 0,
        empty_window_policy: EmptyWindowPolicy::KeepRow,
        features,
    };
    job_with_views(EventSchema::new("user_id", []), "event_time", vec![view])
}

/// Returns the settings of checkpoints in `store`, one per second and partition.
pub(crate) fn checkpoint_config(store: Arc<dyn CheckpointStore>) -> CheckpointConfig {
    CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: "p".to_owned(),
            topic: "events".to_owned(),
            topic_id: None,
            partition_count: 4,
        },
        checkpoint_store: store,
        current_savepoint_request: Default::default(),
        row_fence: Arc::new(NoRowFence),
        topic_identity_check: Arc::new(|| Ok(None)),
        log_history: Arc::new(UnknownLogHistory),
        checkpoint_interval: Duration::from_secs(1),
        kept_checkpoints_per_partition: 3,
        restore_source: None,
        droppable_state_names: Default::default(),
        accepts_added_partitions: false,
        partition_fault_policy: PartitionFaultPolicy::Park,
        store_findings: Default::default(),
        snapshot_limits: Default::default(),
        process_name: "test".to_owned(),
    }
}

/// Returns limits with which a snapshot of many users takes many polls.
pub(crate) fn save_one_slot_per_poll() -> SnapshotLimits {
    SnapshotLimits { save_bytes_per_poll: 1, ..SnapshotLimits::default() }
}

/// Returns the payload of an event of [`counting_job`] at the time 0.
pub(crate) fn payload_of_user(user: i64) -> String {
    format!(r#"{{"user_id":"{user}","event_time":0}}"#)
}

/// Returns a record without a key and a timestamp.
pub(crate) fn record_without_key(partition: Partition, offset: Offset, payload: &[u8]) -> SourceRecord<'_> {
    SourceRecord {
        partition,
        offset,
        key: None,
        payload: Some(payload),
        timestamp_ms: None,
        leader_epoch: None,
        unreadable_reason: None,
    }
}

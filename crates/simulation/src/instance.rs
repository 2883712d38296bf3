//! The main thread of a process: it starts the Redis writer, runs a worker, and ends as `windrow run` does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::redis::{RedisWriter, RedisWriterEnvironment, RedisWriterSettings, WriterCloseOutcome};
use windrow_engine::checkpoint::{
    CurrentSavepointRequest, PartitionFaultPolicy, RestoreSource, SnapshotLimits, StateIdentity,
    default_savepoint_folder,
};
use windrow_engine::halt::ErrorChain;
use windrow_engine::{CheckpointConfig, Halt, StopSignal, Worker, WorkerMetrics, WorkerOutcome, WorkerParts};

use crate::dead_letters::SimulatedDeadLetters;
use crate::pipelines::{ADDED_VIEW, PipelineVersion};
use crate::redis_client::RedisEndpoint;
use crate::savepoint::SimulatedStoreOpener;
use crate::scenario::SavepointUse;
use crate::services::{HaltKind, InstanceEnding, SavedState, SimulatedServices};
use crate::simulation_core::{CoroutineSpawner, InstanceIndex, VirtualClock};
use crate::source::{SimulatedLogHistory, SimulatedSource};
use crate::store_client::SimulatedStore;
use crate::topic::{TOPIC, TopicChange};

/// The time within which the writer must have written its rows after the worker's end.
const REDIS_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Small bounds, so that the snapshots of a small state have several parts and take several polls.
const SNAPSHOT_LIMITS: SnapshotLimits =
    SnapshotLimits { save_bytes_per_poll: 200, state_part_bytes: 400, max_unwritten_bytes: 2_000 };

/// Runs a process until it ends by itself, and records how it has ended.
pub(crate) fn run_instance(services: &Arc<SimulatedServices>, instance: InstanceIndex) {
    let stop_signal = services.instances[instance].lock().stop_signal.clone();
    let ending = match run_worker(services, instance, &stop_signal) {
        Ok(saved_everything) => InstanceEnding::Stopped { saved_everything },
        Err(halt) => {
            let kind = match (&halt, services.topic.change()) {
                (Halt::TopicRecreated(_), Some(TopicChange::Recreated))
                | (Halt::PartitionsAdded(_), Some(TopicChange::PartitionAdded)) => HaltKind::ChangedTopic,
                _ => HaltKind::Unexplained,
            };
            InstanceEnding::Halted { kind, reason: ErrorChain(&halt).to_string() }
        }
    };
    services.core.record(|| format!("process ends: {ending:?}"));
    services.instances[instance].lock().ending = Some(ending);
}

fn run_worker(
    services: &Arc<SimulatedServices>,
    instance: InstanceIndex,
    stop: &StopSignal,
) -> Result<SavedState, Halt> {
    let (clock, spawner) = (
        Arc::new(VirtualClock(Arc::clone(&services.core))),
        Arc::new(CoroutineSpawner { core: Arc::clone(&services.core), instance }),
    );
    let environment = RedisWriterEnvironment {
        clock: clock.clone(),
        thread_spawner: spawner.clone(),
        in_process_server: Some(Arc::new(RedisEndpoint { services: Arc::clone(services), instance })),
    };
    let settings = RedisWriterSettings::default();
    let PipelineVersion { pipeline, job } = services.pipelines.current();
    let writer = match RedisWriter::start_in_environment(pipeline, settings, stop.clone(), environment) {
        Err(_) if stop.is_requested() => return Ok(SavedState::Everything),
        writer => writer?,
    };
    let metrics = WorkerMetrics::new(job.views.len());
    services.instances[instance].lock().metrics = Some(Arc::clone(&metrics));
    let mut worker = Worker::new(WorkerParts {
        job: job.clone(),
        source: SimulatedSource::join_group(Arc::clone(services), instance),
        sink: writer.create_worker_sink(),
        dead_letter_sink: SimulatedDeadLetters::new(Arc::clone(services), instance),
        clock,
        checkpoint_config: Some(create_checkpoint_config(services, instance, &writer, stop)?),
        stop_signal: stop.clone(),
        metrics,
    });
    let outcome = worker.run_with_spawner(spawner)?;
    // As in the binary, the worker leaves the group before the process waits for the last rows.
    drop(worker);
    let closed = writer.close(REDIS_DRAIN_TIMEOUT);
    Ok(match (outcome, closed) {
        (WorkerOutcome::Stopped, WriterCloseOutcome::Drained) => SavedState::Everything,
        _ => SavedState::NotEverything,
    })
}

fn create_checkpoint_config(
    services: &Arc<SimulatedServices>,
    instance: InstanceIndex,
    writer: &RedisWriter,
    stop: &StopSignal,
) -> Result<CheckpointConfig, Halt> {
    let topic = Arc::clone(&services.topic);
    let (topic_id, partition_count) = (topic.topic_id(), topic.partition_count());
    let open_store = || Arc::new(SimulatedStore::for_checkpoints(Arc::clone(services), instance));
    let current_savepoint_request = match services.scenario.savepoint_use {
        SavepointUse::Never => CurrentSavepointRequest::default(),
        SavepointUse::AtRandom => CurrentSavepointRequest::start_polling_thread(
            open_store(),
            Arc::new(SimulatedStoreOpener { services: Arc::clone(services), instance }),
            Arc::new(VirtualClock(Arc::clone(&services.core))),
            &CoroutineSpawner { core: Arc::clone(&services.core), instance },
            stop.clone(),
        )?,
    };
    let restore_source = services.savepoints.restored().map(|savepoint_id| {
        let folder = default_savepoint_folder(&savepoint_id);
        let source_store = Arc::new(SimulatedStore::for_folder(Arc::clone(services), instance, &folder));
        RestoreSource { source_store }
    });
    Ok(CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: services.pipelines.current().pipeline.name.clone(),
            topic: TOPIC.to_owned(),
            topic_id: Some(topic_id.to_owned()),
            partition_count,
        },
        checkpoint_store: open_store(),
        current_savepoint_request,
        row_fence: Arc::new(writer.create_fence_claimer()),
        topic_identity_check: Arc::new(move || topic.verify_unchanged(topic_id, partition_count).map(|()| None)),
        log_history: Arc::new(SimulatedLogHistory { services: Arc::clone(services), instance }),
        checkpoint_interval: services.checkpoint_interval,
        kept_checkpoints_per_partition: services.scenario.kept_checkpoints,
        restore_source,
        // While the pipeline is replaced, a process without the view may continue a checkpoint with it.
        droppable_state_names: BTreeSet::from([ADDED_VIEW.to_owned()]),
        accepts_added_partitions: false,
        partition_fault_policy: PartitionFaultPolicy::Park,
        store_findings: Default::default(),
        snapshot_limits: SNAPSHOT_LIMITS,
        process_name: services.current_process(instance).name(),
    })
}

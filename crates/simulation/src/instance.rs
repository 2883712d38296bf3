//! The main thread of a process: it starts the Redis writer, runs a worker, and ends as `windrow run` does.

use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::redis::{RedisWriter, RedisWriterEnvironment, RedisWriterSettings, WriterCloseOutcome};
use windrow_engine::checkpoint::{PartitionFaultPolicy, SnapshotLimits, StateIdentity};
use windrow_engine::halt::ErrorChain;
use windrow_engine::{
    CheckpointConfig, Halt, NoDeadLetterSink, StopSignal, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::redis_client::RedisEndpoint;
use crate::simulation_core::{CoroutineSpawner, InstanceIndex, VirtualClock};
use crate::source::SimulatedSource;
use crate::store_client::SimulatedStore;
use crate::world::{InstanceEnding, SavedState, TOPIC, World};

/// The time within which the writer must have written its rows after the worker's end.
const REDIS_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Small bounds, so that the snapshots of a small state have several parts and take several polls.
const SNAPSHOT_LIMITS: SnapshotLimits =
    SnapshotLimits { save_bytes_per_poll: 200, state_part_bytes: 400, max_unwritten_bytes: 2_000 };

/// Runs a process until it ends by itself, and records how it has ended.
pub(crate) fn run_instance(world: &Arc<World>, instance: InstanceIndex) {
    let stop_signal = world.instances[instance].lock().stop_signal.clone();
    let ending = match run_worker(world, instance, &stop_signal) {
        Ok(saved_everything) => InstanceEnding::Stopped { saved_everything },
        Err(halt) => InstanceEnding::Halted { reason: ErrorChain(&halt).to_string() },
    };
    world.core.record(|| format!("process ends: {ending:?}"));
    world.instances[instance].lock().ending = Some(ending);
}

fn run_worker(world: &Arc<World>, instance: InstanceIndex, stop: &StopSignal) -> Result<SavedState, Halt> {
    let (clock, spawner) = (
        Arc::new(VirtualClock(Arc::clone(&world.core))),
        Arc::new(CoroutineSpawner { core: Arc::clone(&world.core), instance }),
    );
    let environment = RedisWriterEnvironment {
        clock: clock.clone(),
        thread_spawner: spawner.clone(),
        in_process_server: Some(Arc::new(RedisEndpoint { world: Arc::clone(world), instance })),
    };
    let settings = RedisWriterSettings::default();
    let writer = match RedisWriter::start_in_environment(&world.pipeline, settings, stop.clone(), environment) {
        Err(_) if stop.is_requested() => return Ok(SavedState::Everything),
        writer => writer?,
    };
    let metrics = WorkerMetrics::new(world.job.views.len());
    world.instances[instance].lock().metrics = Some(Arc::clone(&metrics));
    let mut worker = Worker::new(WorkerParts {
        job: world.job.clone(),
        source: SimulatedSource::join_group(Arc::clone(world), instance),
        sink: writer.create_worker_sink(),
        dead_letter_sink: NoDeadLetterSink,
        clock,
        checkpoint_config: Some(create_checkpoint_config(world, instance, &writer)),
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

fn create_checkpoint_config(world: &Arc<World>, instance: InstanceIndex, writer: &RedisWriter) -> CheckpointConfig {
    let start_count = world.instances[instance].lock().start_count;
    CheckpointConfig {
        state_identity: StateIdentity {
            pipeline_name: world.pipeline.name.clone(),
            topic: TOPIC.to_owned(),
            topic_id: Some(world.topic.topic_id.clone()),
            partition_count: world.partition_count,
        },
        checkpoint_store: Arc::new(SimulatedStore { world: Arc::clone(world), instance }),
        current_savepoint_request: Default::default(),
        row_fence: Arc::new(writer.create_fence_claimer()),
        topic_identity_check: Arc::new(|| Ok(None)),
        checkpoint_interval: world.checkpoint_interval,
        kept_checkpoints_per_partition: 3,
        restore_source: None,
        droppable_view_names: Default::default(),
        accepts_added_partitions: false,
        partition_fault_policy: PartitionFaultPolicy::Park,
        snapshot_limits: SNAPSHOT_LIMITS,
        process_name: format!("instance {instance}, start {start_count}"),
    }
}

//! `windrow run`: reads events from Kafka, computes windows and writes rows to Redis.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::kafka::{MissingTopicPolicy, PartitionGrowthPolicy, TopicMonitor, wait_for_topic};
use windrow_connectors::redis::{RedisWriter, RedisWriterSettings, WriterCloseOutcome};
use windrow_engine::checkpoint::inspect::{self, FolderKind};
use windrow_engine::checkpoint::{PartitionFaultPolicy, RestoreSource};
use windrow_engine::{StopSignal, WorkerOutcome};

use crate::cli::RunArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::instance_monitor::{InstanceMonitor, MonitoredInstance};
use crate::job_state_folder::JobStateFolder;
use crate::job_web_server::JobWebServer;
use crate::pipeline_file::{self, LoadedPipeline};
use crate::signals;
use crate::state_problem::StateProblem;
use crate::worker_pool::WorkerPool;

/// How long Redis may take to acknowledge the last rows after all workers have ended.
const REDIS_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &RunArgs) -> Result<ExitStatus, CommandFailure> {
    let (path, overrides) = (args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides);
    let LoadedPipeline { pipeline, redacted_text } = pipeline_file::load_with_redacted_text(path, overrides)?;
    let pipeline = Arc::new(pipeline);
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;

    let source = pipeline.source.kafka();
    let place = JobStateFolder::open_for_pipeline(&pipeline)?;
    let from = args.restore_location.as_deref().map(|from| open_restore_source(&place, from)).transpose()?;
    let web = JobWebServer::start(&args.web_args, &pipeline, redacted_text, &place, &stop)?;
    let missing_topic = match args.created_topic_partition_count {
        Some(count) => MissingTopicPolicy::Create { partition_count: Some(count) },
        None => MissingTopicPolicy::Refuse,
    };
    let Some(topic) = wait_for_topic(&source.brokers, &source.topic, missing_topic, args.start_timeout, &stop)? else {
        return Ok(ExitStatus::Success); // a stop was requested before Kafka had the topic
    };
    web.mark_topic_found();
    let settings = RedisWriterSettings { start_timeout: args.start_timeout, ..RedisWriterSettings::default() };
    let writer = match RedisWriter::start(&pipeline, settings, stop.clone()) {
        Err(_) if stop.is_requested() => return Ok(ExitStatus::Success),
        writer => writer?,
    };
    let bounded_end_offsets = if args.bounded { Some(topic.fetch_end_offsets(&source.brokers)?) } else { None };
    let workers = args.worker_count.map_or_else(default_worker_count, usize::from);
    info!(
        pipeline = pipeline.name,
        topic = topic.name,
        partitions = topic.partition_count,
        group = source.consumer_group,
        workers,
        bounded = args.bounded,
        checkpoints = place.location(),
        "running"
    );
    let growth =
        if args.accept_added_partitions { PartitionGrowthPolicy::Accept } else { PartitionGrowthPolicy::Refuse };
    if growth == PartitionGrowthPolicy::Accept
        && let Some(partitioner) = source.partitioner
    {
        warn!(
            partitioner = partitioner.name(),
            on_misplaced = source.misplaced_record_policy.name(),
            "--accept-partitions does not use source.kafka.partitioner, because older records are where fewer partitions put \
             them; only evidence finds misplaced records, and none becomes a dead letter"
        );
    }
    let topic_monitor = Arc::new(TopicMonitor::new(&topic, &source.brokers, growth)?);
    let mut checkpoint_config = place.create_checkpoint_config(
        &pipeline,
        &topic,
        &topic_monitor,
        Arc::new(writer.create_fence_claimer()),
        &stop,
    )?;
    if args.bounded {
        // A bounded job is not complete without the partition.
        checkpoint_config.partition_fault_policy = PartitionFaultPolicy::Halt;
    }
    checkpoint_config.restore_source = from;
    checkpoint_config.droppable_state_names = args.droppable_state_names.iter().cloned().collect();
    checkpoint_config.accepts_added_partitions = args.accept_added_partitions;
    let monitor = InstanceMonitor::new(MonitoredInstance {
        pipeline: &pipeline,
        topic_identity: &topic,
        topic_monitor: Arc::clone(&topic_monitor),
        checkpoint_store_reachability: place.store_reachability,
        redis_writer_observer: Some(writer.observer()),
        worker_count: workers,
        stop_signal: stop.clone(),
    })?;
    web.switch_to_monitor_reports(&monitor, writer.observer().recent_rows());
    let worker_pool = WorkerPool {
        pipeline: &pipeline,
        topic_identity: &topic,
        topic_monitor,
        growth_policy: growth,
        checkpoint_config,
        bounded_end_offsets,
        group_instance_name_prefix: args.group_instance_name.as_deref(),
        instance_monitor: monitor,
        stop_signal: &stop,
    };
    let ended = worker_pool.run(|_| writer.create_worker_sink())?;
    let closed = writer.close(REDIS_DRAIN_TIMEOUT);
    web.stop_after_savepoint_location_fetched();
    match (closed, ended) {
        (WriterCloseOutcome::Drained, WorkerOutcome::InputExhausted) => Ok(ExitStatus::Success),
        (WriterCloseOutcome::Drained, WorkerOutcome::Stopped) if args.bounded => {
            warn!("stopped before the end of the input; the next run resumes at this point");
            Ok(ExitStatus::PartialOutput)
        }
        (WriterCloseOutcome::Drained, WorkerOutcome::Stopped) => Ok(ExitStatus::Success),
        (WriterCloseOutcome::Drained, WorkerOutcome::StoppedWithoutCheckpoint) => {
            warn!(
                "stopped before the last checkpoints were complete; the next run reads the records after the previous \
                 checkpoints again"
            );
            Ok(ExitStatus::CheckpointStore)
        }
        _ => {
            warn!("stopped before Redis acknowledged the last rows; the next run computes them again");
            Ok(ExitStatus::UnwrittenRows)
        }
    }
}

/// Opens the location `from`, which the flag `--from` names. Fails if the location is reachable and has no usable
/// state. A location from which this job was restored earlier needs no usable state.
fn open_restore_source(place: &JobStateFolder, from: &str) -> Result<RestoreSource, CommandFailure> {
    let store = place.open_other_location(from)?;
    let location = store.place().to_owned();
    let finding = match inspect::identify_folder_kind(&*store) {
        Ok(FolderKind::Job { checkpoint_count: 1.. } | FolderKind::Savepoint(_)) => {
            return Ok(RestoreSource { source_store: store });
        }
        // An unreachable store is no error here, because the job retries until the store responds.
        Err(fault) if fault.fault_class().may_retry() => return Ok(RestoreSource { source_store: store }),
        Err(fault) => StateProblem::InvalidPlace { setting: "--from".to_owned(), fault },
        // This job was restored from this location by an earlier run, and now has checkpoints of its own. So it no
        // longer needs the state in the location.
        Ok(_) if was_restored_from(place, &location) => return Ok(RestoreSource { source_store: store }),
        Ok(FolderKind::Nothing | FolderKind::Job { .. }) => StateProblem::NothingToRestore { place: location },
        Ok(FolderKind::IncompleteSavepoint) => StateProblem::IncompleteSavepoint { place: location },
        Ok(FolderKind::UnreadableSavepoint(object)) => StateProblem::UnusableSavepoint { place: location, object },
    };
    Err(finding.into())
}

/// Returns whether a checkpoint of this job names the location `from` as the origin of the job's state.
fn was_restored_from(place: &JobStateFolder, from: &str) -> bool {
    let own = inspect::list_checkpoints(&*place.store).unwrap_or_default();
    inspect::find_newest_manifest_per_partition(&own)
        .iter()
        .any(|manifest| manifest.origin_savepoint_place.as_deref() == Some(from))
}

fn default_worker_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

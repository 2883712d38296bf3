//! `windrow run`: Kafka → windows → Redis.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::kafka::{PartitionGrowth, TopicMonitor, wait_for_topic};
use windrow_connectors::redis::{CloseOutcome, RedisWriter, RedisWriterSettings};
use windrow_engine::checkpoint::RestoreSource;
use windrow_engine::checkpoint::inspect::{self, FolderKind};
use windrow_engine::{StopSignal, WorkerOutcome};

use crate::cli::RunArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::instance_monitor::{InstanceMonitor, MonitoredInstance};
use crate::job_state_folder::JobStateFolder;
use crate::job_web_server::JobWebServer;
use crate::pipeline_file::{self, LoadedPipeline};
use crate::signals;
use crate::state_finding::StateFinding;
use crate::worker_pool::WorkerPool;

/// How long Redis may take for the last rows after all workers have ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &RunArgs) -> Result<ExitStatus, CommandFailure> {
    let (path, overrides) = (args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides);
    let LoadedPipeline { pipeline, redacted_text } = pipeline_file::load_with_redacted_text(path, overrides)?;
    let pipeline = Arc::new(pipeline);
    let stop = StopSignal::default();
    signals::stop_on_signals(&stop)?;

    let source = pipeline.source.kafka();
    let place = JobStateFolder::open_for_pipeline(&pipeline)?;
    let from = args.from.as_deref().map(|from| open_restore_source(&place, from)).transpose()?;
    let web = JobWebServer::start(&args.web, &pipeline, redacted_text, &place, &stop)?;
    let Some(topic) = wait_for_topic(&source.brokers, &source.topic, args.start_timeout, &stop)? else {
        return Ok(ExitStatus::Success); // stopped before anything started
    };
    web.mark_kafka_found();
    let settings = RedisWriterSettings { start_timeout: args.start_timeout, ..RedisWriterSettings::default() };
    let writer = match RedisWriter::start(&pipeline, settings, stop.clone()) {
        Err(_) if stop.is_requested() => return Ok(ExitStatus::Success),
        writer => writer?,
    };
    let end_offsets = if args.bounded { Some(topic.fetch_end_offsets(&source.brokers)?) } else { None };
    let workers = args.workers.map_or_else(default_workers, usize::from);
    info!(
        pipeline = pipeline.name,
        topic = topic.name,
        partitions = topic.partition_count,
        group = source.group,
        workers,
        bounded = args.bounded,
        checkpoints = place.location(),
        "running"
    );
    let growth = if args.accept_partitions { PartitionGrowth::Accept } else { PartitionGrowth::Refuse };
    let topic_monitor = Arc::new(TopicMonitor::new(&topic, &source.brokers, growth)?);
    let mut checkpoint_config =
        place.checkpoint_config(&pipeline, &topic, &topic_monitor, Arc::new(writer.fence()), &stop)?;
    checkpoint_config.restore_source = from;
    checkpoint_config.droppable_views = args.drop_state.iter().cloned().collect();
    checkpoint_config.accepts_added_partitions = args.accept_partitions;
    let monitor = InstanceMonitor::new(MonitoredInstance {
        pipeline: &pipeline,
        topic: &topic,
        topic_monitor: Arc::clone(&topic_monitor),
        store_reachability: place.reachability,
        redis: Some(writer.observer()),
        workers,
        stop: stop.clone(),
    })?;
    web.show_monitor(&monitor, writer.observer().recent_rows());
    let worker_pool = WorkerPool {
        pipeline: &pipeline,
        topic: &topic,
        topic_monitor,
        checkpoint_config,
        end_offsets,
        group_instance_name: args.instance.as_deref(),
        monitor,
        stop: &stop,
    };
    let ended = worker_pool.run(|_| writer.sink())?;
    let closed = writer.close(CLOSE_TIMEOUT);
    web.linger_and_stop();
    match (closed, ended) {
        (CloseOutcome::Drained, WorkerOutcome::InputExhausted) => Ok(ExitStatus::Success),
        (CloseOutcome::Drained, WorkerOutcome::Stopped) if args.bounded => {
            warn!("stopped before the end of the input; the next run resumes from here");
            Ok(ExitStatus::Partial)
        }
        (CloseOutcome::Drained, WorkerOutcome::Stopped) => Ok(ExitStatus::Success),
        (CloseOutcome::Drained, WorkerOutcome::StoppedWithoutCheckpoint) => {
            warn!("stopped before the last checkpoints were complete; records after the previous ones are read again");
            Ok(ExitStatus::CheckpointStore)
        }
        _ => {
            warn!("stopped before Redis took the last rows; they are computed again after a restart");
            Ok(ExitStatus::Unwritten)
        }
    }
}

/// Opens the location that `--from` names and checks that it holds state, before the job joins its group.
fn open_restore_source(place: &JobStateFolder, from: &str) -> Result<RestoreSource, CommandFailure> {
    let store = place.open_location(from)?;
    let location = store.place().to_owned();
    let finding = match inspect::identify_folder(&*store) {
        Ok(FolderKind::Job { checkpoints: 1.. } | FolderKind::Savepoint(_)) => return Ok(RestoreSource { store }),
        // The job retries until the store responds.
        Err(fault) if fault.class().may_retry() => return Ok(RestoreSource { store }),
        Err(fault) => StateFinding::InvalidPlace { setting: "--from".to_owned(), fault },
        // The job restored from there before and resumes from its own checkpoints, so the location may be empty by now.
        Ok(_) if was_restored_from(place, &location) => return Ok(RestoreSource { store }),
        Ok(FolderKind::Nothing | FolderKind::Job { .. }) => StateFinding::NothingToRestore { place: location },
        Ok(FolderKind::IncompleteSavepoint) => StateFinding::IncompleteSavepoint { place: location },
        Ok(FolderKind::UnreadableSavepoint(object)) => StateFinding::UnusableSavepoint { place: location, object },
    };
    Err(finding.into())
}

/// Returns whether the job's own checkpoints descend from `from`.
fn was_restored_from(place: &JobStateFolder, from: &str) -> bool {
    let own = inspect::list_checkpoints(&*place.store).unwrap_or_default();
    inspect::newest_per_partition(&own).iter().any(|manifest| manifest.from.as_deref() == Some(from))
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

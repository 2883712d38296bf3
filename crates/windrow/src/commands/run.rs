//! `windrow run`: Kafka → windows → Redis.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::kafka::{TopicGuard, await_topic};
use windrow_connectors::redis::{Closed, RedisWriter, Settings};
use windrow_engine::checkpoint::From;
use windrow_engine::{Ended, Stop};

use crate::cli::RunArgs;
use crate::crew::Crew;
use crate::exit::{Exit, Failure};
use crate::state_place::StatePlace;
use crate::{pipeline_file, signals};

/// How long the last rows may take once all workers have ended.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides)?;
    let stop = Stop::default();
    signals::handle(&stop)?;

    let source = &pipeline.source;
    let place = StatePlace::of(&pipeline)?;
    let from = args.from.as_deref().map(|from| place.open(from)).transpose()?.map(|store| From { store });
    let Some(topic) = await_topic(&source.brokers, &source.topic, args.start_timeout, &stop)? else {
        return Ok(Exit::Success); // stopped while waiting: nothing was begun
    };
    let settings = Settings { start_timeout: args.start_timeout, ..Settings::default() };
    let writer = match RedisWriter::start(&pipeline, settings, stop.clone()) {
        Err(_) if stop.requested() => return Ok(Exit::Success),
        writer => writer?,
    };
    let ends = if args.bounded { Some(topic.ends(&source.brokers)?) } else { None };
    let workers = args.workers.map_or_else(default_workers, usize::from);
    info!(
        pipeline = pipeline.name,
        topic = topic.name,
        partitions = topic.partitions,
        group = source.group,
        workers,
        bounded = args.bounded,
        checkpoints = place.name(),
        "running"
    );
    let guard = Arc::new(TopicGuard::new(&topic, &source.brokers, args.accept_partitions)?);
    let mut checkpoints = place.checkpoints(&pipeline, &topic, &guard, Arc::new(writer.fence()), &stop)?;
    checkpoints.from = from;
    checkpoints.drop_state = args.drop_state.iter().cloned().collect();
    checkpoints.accept_partitions = args.accept_partitions;
    let instance = args.instance.as_deref();
    let crew = Crew { pipeline: &pipeline, topic: &topic, guard, checkpoints, ends, instance, workers, stop: &stop };
    let ended = crew.run(|_| writer.sink())?;
    match (writer.close(CLOSE_PATIENCE), ended) {
        (Closed::Drained, Ended::Exhausted) => Ok(Exit::Success),
        (Closed::Drained, Ended::Stopped) if args.bounded => {
            warn!("stopped before the end of the input; the next run goes on from here");
            Ok(Exit::Partial)
        }
        (Closed::Drained, Ended::Stopped) => Ok(Exit::Success),
        (Closed::Drained, Ended::StoppedUnsaved) => {
            warn!("stopped before the last checkpoints were complete; what follows the ones before is read again");
            Ok(Exit::CheckpointStore)
        }
        _ => {
            warn!("stopped before Redis took the last rows; they are computed again after a restart");
            Ok(Exit::Unwritten)
        }
    }
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

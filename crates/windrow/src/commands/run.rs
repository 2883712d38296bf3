//! `windrow run`: Kafka → windows → Redis.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::kafka::{TopicGuard, await_topic};
use windrow_connectors::redis::{Closed, RedisWriter, Settings};
use windrow_engine::checkpoint::From;
use windrow_engine::checkpoint::inspect::{self, Kind};
use windrow_engine::{Ended, Halt, Stop, StoreFault};

use crate::cli::RunArgs;
use crate::crew::Crew;
use crate::exit::{Exit, Failure};
use crate::observed::Instance;
use crate::state_place::StatePlace;
use crate::web::Web;
use crate::{pipeline_file, signals};

/// How long the last rows may take once all workers have ended.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let (path, overrides) = (args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides);
    let (pipeline, text) = pipeline_file::load_with_text(path, overrides)?;
    let pipeline = Arc::new(pipeline);
    let stop = Stop::default();
    signals::handle(&stop)?;

    let source = &pipeline.source;
    let place = StatePlace::of(&pipeline)?;
    let from = args.from.as_deref().map(|from| beginning(&place, from)).transpose()?;
    let web = Web::open(&args.web, &pipeline, text, &place, &stop)?;
    let Some(topic) = await_topic(&source.brokers, &source.topic, args.start_timeout, &stop)? else {
        return Ok(Exit::Success); // stopped while waiting: nothing was begun
    };
    web.found_kafka();
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
    let observed = Instance::new(&pipeline, &topic, &guard, &place.reach, Some(writer.watch()), workers, &stop)?;
    web.show(&observed, writer.watch().recent());
    let crew = Crew { pipeline: &pipeline, topic: &topic, guard, checkpoints, ends, instance, observed, stop: &stop };
    let ended = crew.run(|_| writer.sink())?;
    let closed = writer.close(CLOSE_PATIENCE);
    web.end();
    match (closed, ended) {
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

/// The place that `--from` names, which must hold something to begin from: said before the group is joined.
fn beginning(place: &StatePlace, from: &str) -> Result<From, Failure> {
    let store = place.open(from)?;
    let shown = store.place();
    let halt = match inspect::kind(&*store) {
        Ok(Ok(Kind::Job { checkpoints: 1.. } | Kind::Savepoint(_))) => return Ok(From { store }),
        // The job asks again until the place answers.
        Err(StoreFault::Failed(_)) => return Ok(From { store }),
        Err(fault) => Halt::CheckpointStore(format!("--from cannot be used: {fault}")),
        // It began there before and goes on from its own checkpoints: what is there now does not matter.
        Ok(_) if began_from(place, shown) => return Ok(From { store }),
        Ok(Ok(Kind::Nothing | Kind::Job { .. })) => Halt::ForeignState(format!(
            "there is nothing to begin from in {shown} (--from): neither a savepoint nor checkpoints"
        )),
        Ok(Ok(Kind::IncompleteSavepoint)) => Halt::DamagedState(format!(
            "the savepoint in {shown} (--from) is incomplete: it has no object `savepoint`, which is created last. Wait \
             until it is taken, or take another with `windrow savepoint`"
        )),
        Ok(Err(reason)) if reason.is_newer() => Halt::NewerState(format!("{shown} (--from): {reason}")),
        Ok(Err(reason)) => Halt::DamagedState(format!("{shown} (--from): {reason}")),
    };
    Err(halt.into())
}

/// Whether the job's own checkpoints go back to `from`.
fn began_from(place: &StatePlace, from: &str) -> bool {
    let own = inspect::list(&*place.store).unwrap_or_default();
    inspect::newest(&own).iter().any(|manifest| manifest.from.as_deref() == Some(from))
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

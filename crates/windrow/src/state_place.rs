//! Where a pipeline keeps its state.
//!
//! Owns: which folder of the checkpoint store belongs to a job. A job is a pipeline and a consumer group: two groups read
//! everything twice, so each has a state of its own. Does not own: what is in the folder (the engine's checkpoints).

use std::process;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::kafka::{Topic, TopicGuard};
use windrow_connectors::object_store::ObjectStores;
use windrow_engine::checkpoint::{Identity, Requests, segment};
use windrow_engine::{CheckpointStore, CheckpointStores, Checkpoints, Fence, Halt, Reachability, Stop, StoreFault};
use windrow_spec::Pipeline;

use crate::exit::{Exit, Failure};
use crate::watched_store::WatchedStore;

/// A job's folder in its checkpoint store.
pub(crate) struct StatePlace {
    stores: Arc<ObjectStores>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Whether it answers.
    pub(crate) reach: Reachability,
}

impl StatePlace {
    /// The place that the pipeline file names for this pipeline and group.
    pub(crate) fn of(pipeline: &Pipeline) -> Result<Self, Failure> {
        Self::within(&pipeline.checkpoint.store, pipeline)
    }

    /// A place that is gone with the process.
    pub(crate) fn in_memory(pipeline: &Pipeline) -> Result<Self, Failure> {
        Self::within("memory:", pipeline)
    }

    fn within(store: &str, pipeline: &Pipeline) -> Result<Self, Failure> {
        let stores = Arc::new(ObjectStores::new().map_err(|fault| refused("checkpoint.store", &fault))?);
        let (name, group) = (segment(&pipeline.name), segment(&pipeline.source.group));
        let place = match store {
            "memory:" => store.to_owned(),
            store => format!("{}/{name}/{group}", store.trim_end_matches('/')),
        };
        let store = stores.open(&place).map_err(|fault| refused(&format!("checkpoint.store = \"{store}\""), &fault))?;
        let reach = Reachability::default();
        let store = Arc::new(WatchedStore::new(store, &reach));
        Ok(Self { stores, store, reach })
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &str {
        self.store.place()
    }

    /// Opens other places.
    pub(crate) fn stores(&self) -> Arc<dyn CheckpointStores> {
        Arc::<ObjectStores>::clone(&self.stores)
    }

    /// Another place, by what a person wrote.
    pub(crate) fn open(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, Failure> {
        self.stores.open(place).map_err(|fault| refused(place, &fault))
    }

    /// How the workers of this process keep their state here.
    pub(crate) fn checkpoints(
        &self,
        pipeline: &Pipeline,
        topic: &Topic,
        guard: &Arc<TopicGuard>,
        fence: Arc<dyn Fence>,
        stop: &Stop,
    ) -> Result<Checkpoints, Failure> {
        let store = Arc::clone(&self.store);
        let requests = Requests::watch(Arc::clone(&store), Arc::<ObjectStores>::clone(&self.stores), stop.clone())?;
        Ok(Checkpoints {
            identity: Identity {
                pipeline: pipeline.name.clone(),
                topic: topic.name.clone(),
                topic_id: topic.id.clone(),
                partitions: topic.partitions,
            },
            store,
            requests,
            fence,
            guard: guard.as_check(),
            every: Duration::from_millis(pipeline.checkpoint.every_ms.unsigned_abs()),
            keep: pipeline.checkpoint.keep,
            from: None,
            drop_state: Default::default(),
            accept_partitions: false,
            owner: owner()?,
        })
    }
}

/// A name that no other process has: where it runs, and something drawn at random.
pub(crate) fn owner() -> Result<String, Failure> {
    Ok(format!("{} pid {} {}", host(), process::id(), random_digits(8)?))
}

/// The machine's name.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Hexadecimal digits drawn at random, up to eight.
pub(crate) fn random_digits(digits: usize) -> Result<String, Failure> {
    let number = getrandom::u32()
        .map_err(|error| Failure::new(Exit::Internal, format!("error: the system gives no random numbers: {error}")))?;
    let mut text = format!("{number:08x}");
    text.truncate(digits);
    Ok(text)
}

/// The place that a person wrote, for looking at it.
pub(crate) fn open(place: &str) -> Result<Arc<dyn CheckpointStore>, Failure> {
    let stores = ObjectStores::new().map_err(|fault| refused(place, &fault))?;
    stores.open(place).map_err(|fault| refused(place, &fault))
}

fn refused(what: &str, fault: &StoreFault) -> Failure {
    Halt::CheckpointStore(format!("{what} cannot be used as a place for state: {fault}")).into()
}

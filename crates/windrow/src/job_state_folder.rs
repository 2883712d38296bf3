//! The folder of the checkpoint store in which a job keeps its state.
//!
//! Owns: the folder's name. A job is a pipeline with a consumer group: two groups read all records independently, so each has
//! its own state. Does not own: what is in the folder (`windrow_engine::checkpoint`).

use std::process;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::kafka::{TopicIdentity, TopicMonitor};
use windrow_connectors::object_store::ObjectStores;
use windrow_connectors::outage::Reachability;
use windrow_engine::checkpoint::{SavepointRequests, StateIdentity, escape_name_segment};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, CheckpointStoreOpener, RowFence, StopSignal, StoreFault, SystemClock,
};
use windrow_spec::Pipeline;

use crate::exit::{CommandFailure, ExitStatus};
use crate::reachability_tracking_store::ReachabilityTrackingStore;
use crate::state_finding::StateFinding;

/// A job's folder in its checkpoint store.
pub(crate) struct JobStateFolder {
    stores: Arc<ObjectStores>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Whether the store responds.
    pub(crate) reachability: Reachability,
}

impl JobStateFolder {
    /// Opens the folder of this pipeline and group in the store that the pipeline file names.
    pub(crate) fn open_for_pipeline(pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        Self::open_within(&pipeline.checkpoint.store, pipeline)
    }

    /// Opens a store in memory, which is lost with the process.
    pub(crate) fn in_memory(pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        Self::open_within("memory:", pipeline)
    }

    fn open_within(store: &str, pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        let stores = Arc::new(ObjectStores::new().map_err(|fault| unusable_location("checkpoint.store", fault))?);
        let (name, group) = (escape_name_segment(&pipeline.name), escape_name_segment(&pipeline.source.kafka().group));
        let place = match store {
            "memory:" => store.to_owned(),
            store => format!("{}/{name}/{group}", store.trim_end_matches('/')),
        };
        let store = stores
            .open(&place)
            .map_err(|fault| unusable_location(&format!("checkpoint.store = \"{store}\""), fault))?;
        let reach = Reachability::default();
        let store = Arc::new(ReachabilityTrackingStore::new(store, &reach));
        Ok(Self { stores, store, reachability: reach })
    }

    /// Returns the folder's location, for messages.
    pub(crate) fn location(&self) -> &str {
        self.store.place()
    }

    /// Returns an opener of other locations.
    pub(crate) fn stores(&self) -> Arc<dyn CheckpointStoreOpener> {
        Arc::<ObjectStores>::clone(&self.stores)
    }

    /// Opens another location from a flag.
    pub(crate) fn open_location(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, CommandFailure> {
        self.stores.open(place).map_err(|fault| unusable_location(place, fault))
    }

    /// Configures checkpoints of this process's workers in this folder.
    pub(crate) fn checkpoint_config(
        &self,
        pipeline: &Pipeline,
        topic: &TopicIdentity,
        guard: &Arc<TopicMonitor>,
        fence: Arc<dyn RowFence>,
        stop: &StopSignal,
    ) -> Result<CheckpointConfig, CommandFailure> {
        let store = Arc::clone(&self.store);
        let requests =
            SavepointRequests::watch(Arc::clone(&store), self.stores(), SystemClock::shared(), stop.clone())?;
        Ok(CheckpointConfig {
            identity: StateIdentity {
                pipeline: pipeline.name.clone(),
                topic: topic.name.clone(),
                topic_id: topic.id.clone(),
                partitions: topic.partition_count,
            },
            store,
            savepoint_requests: requests,
            fence,
            topic_check: guard.to_check_fn(),
            interval: Duration::from_millis(pipeline.checkpoint.interval_ms.unsigned_abs()),
            kept_generations: pipeline.checkpoint.kept_generations,
            restore_source: None,
            droppable_views: Default::default(),
            accepts_added_partitions: false,
            process_name: create_owner_name()?,
        })
    }
}

/// Creates a unique name for this process from its host, process id and random digits.
pub(crate) fn create_owner_name() -> Result<String, CommandFailure> {
    Ok(format!("{} pid {} {}", host_name(), process::id(), random_hex_digits(8)?))
}

/// Returns the machine's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Returns random hexadecimal digits, at most 32.
pub(crate) fn random_hex_digits(count: usize) -> Result<String, CommandFailure> {
    windrow_web::random::random_hex_digits(count).map_err(|error| {
        CommandFailure::new(ExitStatus::Internal, format!("error: the system gives no random numbers: {error}"))
    })
}

/// Opens a location from the command line for reading.
pub(crate) fn open_state_store(place: &str) -> Result<Arc<dyn CheckpointStore>, CommandFailure> {
    let stores = ObjectStores::new().map_err(|fault| unusable_location(place, fault))?;
    stores.open(place).map_err(|fault| unusable_location(place, fault))
}

fn unusable_location(setting: &str, fault: StoreFault) -> CommandFailure {
    StateFinding::InvalidPlace { setting: setting.to_owned(), fault }.into()
}

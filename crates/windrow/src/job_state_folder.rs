//! The folder of the checkpoint store in which a job keeps its state.
//!
//! Owns: the folder's name, which consists of the pipeline's name and the consumer group. The group is in the name,
//! because each group reads all records and has its own state.
//! Does not own: the contents of the folder (`windrow_engine::checkpoint`).

use std::process;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::kafka::browse::KafkaLogHistory;
use windrow_connectors::kafka::{TopicIdentity, TopicMonitor};
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_connectors::outage::SharedOutageTracker;
use windrow_engine::checkpoint::{CurrentSavepointRequest, PartitionFaultPolicy, StateIdentity, escape_name_segment};
use windrow_engine::{
    CheckpointConfig, CheckpointStore, CheckpointStoreOpener, OsThreadSpawner, RowFence, StopSignal, StoreFault,
    SystemClock,
};
use windrow_spec::{PartitionFaultSetting, Pipeline};

use crate::exit::{CommandFailure, ExitStatus};
use crate::reachability_tracking_store::ReachabilityTrackingStore;
use crate::state_problem::StateProblem;

/// A job's folder in the checkpoint store.
pub(crate) struct JobStateFolder {
    object_stores: Arc<ObjectStoreOpener>,
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Whether the checkpoint store responds.
    pub(crate) store_reachability: SharedOutageTracker,
}

impl JobStateFolder {
    /// Opens the folder of this pipeline and its consumer group in the checkpoint store that the pipeline file names.
    pub(crate) fn open_for_pipeline(pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        Self::open_in_store(&pipeline.checkpoint.checkpoint_store_url, pipeline)
    }

    /// Opens a checkpoint store in memory. The contents of the store are lost when the process ends.
    pub(crate) fn open_in_memory(pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        Self::open_in_store("memory:", pipeline)
    }

    fn open_in_store(store: &str, pipeline: &Pipeline) -> Result<Self, CommandFailure> {
        let stores = Arc::new(
            ObjectStoreOpener::new().map_err(|fault| create_unusable_location_failure("checkpoint.store", fault))?,
        );
        let place = match store {
            "memory:" => store.to_owned(),
            store => locate_in_store(store, pipeline),
        };
        let store = stores
            .open_store(&place)
            .map_err(|fault| create_unusable_location_failure(&format!("checkpoint.store = \"{store}\""), fault))?;
        let reach = SharedOutageTracker::default();
        let store = Arc::new(ReachabilityTrackingStore::new(store, &reach));
        Ok(Self { object_stores: stores, store, store_reachability: reach })
    }

    /// Returns the location of the folder, for messages.
    pub(crate) fn location(&self) -> &str {
        self.store.place()
    }

    /// Returns an object that opens checkpoint stores at locations other than this folder.
    pub(crate) fn store_opener(&self) -> Arc<dyn CheckpointStoreOpener> {
        Arc::<ObjectStoreOpener>::clone(&self.object_stores)
    }

    /// Opens a location other than this folder, for example the location that `--from` names.
    pub(crate) fn open_other_location(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, CommandFailure> {
        self.object_stores.open_store(place).map_err(|fault| create_unusable_location_failure(place, fault))
    }

    /// Creates the configuration with which this process's workers write checkpoints to this folder. Starts the thread
    /// that polls the folder for savepoint requests.
    pub(crate) fn create_checkpoint_config(
        &self,
        pipeline: &Pipeline,
        topic: &TopicIdentity,
        topic_monitor: &Arc<TopicMonitor>,
        fence: Arc<dyn RowFence>,
        stop: &StopSignal,
    ) -> Result<CheckpointConfig, CommandFailure> {
        let store = Arc::clone(&self.store);
        let requests = CurrentSavepointRequest::start_polling_thread(
            Arc::clone(&store),
            self.store_opener(),
            SystemClock::start_shared(),
            &OsThreadSpawner,
            stop.clone(),
        )?;
        Ok(CheckpointConfig {
            state_identity: StateIdentity {
                pipeline_name: pipeline.name.clone(),
                topic: topic.name.clone(),
                topic_id: topic.id.clone(),
                partition_count: topic.partition_count,
            },
            checkpoint_store: store,
            current_savepoint_request: requests,
            row_fence: fence,
            topic_identity_check: topic_monitor.to_topic_check_function(),
            log_history: Arc::new(KafkaLogHistory::new(pipeline.source.kafka())),
            checkpoint_interval: Duration::from_millis(pipeline.checkpoint.checkpoint_interval_ms.unsigned_abs()),
            kept_checkpoints_per_partition: pipeline.checkpoint.kept_generation_count,
            restore_source: None,
            droppable_state_names: Default::default(),
            accepts_added_partitions: false,
            partition_fault_policy: match pipeline.source.kafka().partition_fault_setting {
                PartitionFaultSetting::Park => PartitionFaultPolicy::Park,
                PartitionFaultSetting::Halt => PartitionFaultPolicy::Halt,
            },
            store_findings: Default::default(),
            snapshot_limits: Default::default(),
            process_name: create_process_name()?,
        })
    }
}

/// Creates a unique name for this process from its host, process id and random digits.
pub(crate) fn create_process_name() -> Result<String, CommandFailure> {
    Ok(format!("{} pid {} {}", read_host_name(), process::id(), random_hex_digits(8)?))
}

/// Returns the machine's name.
pub(crate) fn read_host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Returns `count` random hexadecimal digits. `count` is at most 32.
pub(crate) fn random_hex_digits(count: usize) -> Result<String, CommandFailure> {
    windrow_web::random::random_hex_digits(count).map_err(|error| {
        CommandFailure::new(
            ExitStatus::Internal,
            format!("error: the operating system provides no random numbers: {error}"),
        )
    })
}

/// Returns the location of the job's folder in the checkpoint store `store`.
pub(crate) fn locate_in_store(store: &str, pipeline: &Pipeline) -> String {
    let (name, group) =
        (escape_name_segment(&pipeline.name), escape_name_segment(&pipeline.source.kafka().consumer_group));
    format!("{}/{name}/{group}", store.trim_end_matches('/'))
}

/// Opens a location that the command line names, for a command that only reads the state there.
pub(crate) fn open_location_for_inspection(place: &str) -> Result<Arc<dyn CheckpointStore>, CommandFailure> {
    let stores = ObjectStoreOpener::new().map_err(|fault| create_unusable_location_failure(place, fault))?;
    stores.open_store(place).map_err(|fault| create_unusable_location_failure(place, fault))
}

fn create_unusable_location_failure(setting: &str, fault: StoreFault) -> CommandFailure {
    StateProblem::InvalidPlace { setting: setting.to_owned(), fault }.into()
}

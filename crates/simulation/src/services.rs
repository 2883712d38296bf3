//! All services of a simulation, which the instances share.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::checkpoint::{CheckpointId, CheckpointManifest};
use windrow_engine::{ListedObject, Partition, PartitionOffsets, StopSignal, StoreFault, Wakeup, WorkerMetrics};

use crate::consumer_group::GroupCoordinator;
use crate::faults::{ActiveFaults, FaultAction};
use crate::oracle::RowOracle;
use crate::pipelines::PipelineVersions;
use crate::redis_server::{ServerSurroundings, SimulatedRedisServer};
use crate::savepoint_log::{CompletedSavepoint, SavepointLog};
use crate::scenario::SimulationScenario;
use crate::simulation_core::{InstanceIndex, InstanceProcess, SimulationCore};
use crate::store::{SimulatedObjects, StoreWrite, WriteTiming};
use crate::topic::{SimulatedTopic, TopicChange};

/// What the names of all objects of savepoints begin with.
const SAVEPOINTS_FOLDER: &str = "savepoints/";

/// What the scheduler knows of an instance.
#[derive(Debug)]
pub(crate) struct SimulatedInstance {
    /// Notified when a record or a rebalance may wait for the worker of the instance.
    pub(crate) wakeup: Arc<Wakeup>,
    pub(crate) stop_signal: StopSignal,
    /// How often the process has been started.
    pub(crate) start_count: u64,
    pub(crate) ending: Option<InstanceEnding>,
    /// The metrics of the worker; `None` before its first start.
    pub(crate) metrics: Option<Arc<WorkerMetrics>>,
}

/// How a process has ended by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum InstanceEnding {
    /// It has stopped as requested.
    Stopped { saved_everything: SavedState },
    /// It has halted.
    Halted { kind: HaltKind, reason: String },
}

/// Whether a fault of a simulation explains a halt. Damaged checkpoints do not: their partition is parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HaltKind {
    /// The topic was created again, or has more partitions.
    ChangedTopic,
    /// No simulated fault may cause it.
    Unexplained,
}

/// Whether a process that stopped has saved its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SavedState {
    Everything,
    NotEverything,
}

/// All services.
pub(crate) struct SimulatedServices {
    pub(crate) core: Arc<SimulationCore>,
    pub(crate) pipelines: PipelineVersions,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) partition_count: Partition,
    pub(crate) topic: Arc<SimulatedTopic>,
    pub(crate) group: GroupCoordinator,
    pub(crate) objects: SimulatedObjects,
    pub(crate) redis: SimulatedRedisServer,
    pub(crate) faults: ActiveFaults,
    pub(crate) oracle: Mutex<RowOracle>,
    pub(crate) scenario: SimulationScenario,
    pub(crate) savepoints: SavepointLog,
    pub(crate) instances: Vec<Mutex<SimulatedInstance>>,
    /// The faults that begin as soon as the running coroutine gives up control.
    triggered_faults: Mutex<Vec<FaultAction>>,
}

impl fmt::Debug for SimulatedServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedServices").field("core", &self.core).finish_non_exhaustive()
    }
}

impl SimulatedServices {
    /// Creates the services. Fails with the mistakes of the pipeline.
    pub(crate) fn new(
        core: Arc<SimulationCore>,
        scenario: SimulationScenario,
        partition_count: Partition,
        instance_count: usize,
    ) -> Result<Arc<Self>, String> {
        let pipelines = PipelineVersions::read(partition_count, scenario.required_copies)?;
        let faults = core.choose_at_random(ActiveFaults::with_random_rates);
        let checkpoint_interval = core.duration_between_ms(500, 4_000);
        let instance = || SimulatedInstance {
            wakeup: Arc::new(Wakeup::default()),
            stop_signal: StopSignal::default(),
            start_count: 0,
            ending: None,
            metrics: None,
        };
        Ok(Arc::new(Self {
            oracle: Mutex::new(RowOracle::new(&pipelines.first.job, partition_count, scenario.required_copies)),
            pipelines,
            checkpoint_interval,
            partition_count,
            topic: Arc::new(SimulatedTopic::new(partition_count)),
            group: GroupCoordinator::new(Arc::clone(&core), partition_count),
            objects: SimulatedObjects::default(),
            redis: SimulatedRedisServer::new(scenario.required_copies),
            scenario,
            savepoints: SavepointLog::default(),
            faults,
            triggered_faults: Mutex::default(),
            instances: (0..instance_count).map(|_| Mutex::new(instance())).collect(),
            core,
        }))
    }

    pub(crate) fn current_process(&self, instance: InstanceIndex) -> InstanceProcess {
        InstanceProcess { instance, start_count: self.instances[instance].lock().start_count }
    }

    pub(crate) fn instance_wakeup(&self, instance: InstanceIndex) -> Arc<Wakeup> {
        Arc::clone(&self.instances[instance].lock().wakeup)
    }

    /// A point in the middle of a request to a service. The process may be killed or suspended here.
    pub(crate) fn pass_failure_point(&self, instance: InstanceIndex) {
        if let Some(fault) = self.faults.count_request(instance) {
            self.begin_fault_now(fault);
        }
    }

    /// Begins `fault` before the calling coroutine continues.
    pub(crate) fn begin_fault_now(&self, fault: FaultAction) {
        self.triggered_faults.lock().push(fault);
        self.core.pause(Duration::ZERO);
    }

    pub(crate) fn take_triggered_faults(&self) -> Vec<FaultAction> {
        std::mem::take(&mut *self.triggered_faults.lock())
    }

    /// Lets a producer write a record to `partition`.
    pub(crate) fn produce_record(&self, partition: Partition, key: &str, payload: Vec<u8>) {
        let timestamp_ms = SimulationCore::wall_ms_at(self.core.now());
        let record = self.topic.append_record(partition, key, payload, timestamp_ms);
        self.oracle.lock().observe_record(partition, &record.payload);
        self.instances.iter().for_each(|instance| instance.lock().wakeup.notify());
    }

    /// Adds a view to the pipeline, or removes it. Processes that start later have the new version.
    pub(crate) fn change_pipeline(&self) {
        self.pipelines.change();
        self.oracle.lock().observe_changed_numbering();
    }

    /// Changes the topic so that the job must halt. No producer writes any more.
    pub(crate) fn change_topic(&self, change: TopicChange) {
        let has_checkpoint = |partition| self.read_newest_manifest(partition).is_some();
        let had_checkpoints = (0..self.partition_count).all(has_checkpoint);
        self.topic.had_checkpoints_at_change.store(had_checkpoints, Ordering::Relaxed);
        self.topic.begin_change(change);
        self.oracle.lock().counts.topic_changes += 1;
    }

    /// Lets the key of a row hold something else than a row, so that Redis refuses the row.
    pub(crate) fn occupy_row_key(&self) {
        let index = self.core.choose_at_random(|random| random.next_u64());
        if let Some(key) = self.oracle.lock().occupy_row_key(index) {
            self.core.record(|| format!("redis: {} holds a text", String::from_utf8_lossy(&key)));
            self.redis.store_text(key);
        }
    }

    /// Returns a partition by chance.
    pub(crate) fn choose_partition(&self) -> Partition {
        let count = u64::try_from(self.partition_count).unwrap_or(1);
        Partition::try_from(self.core.choose_at_random(|random| random.number_below(count))).unwrap_or(0)
    }

    /// Gives a partition a new leader that lacks the newest `lost_records` records. Returns the partition.
    pub(crate) fn elect_leader(&self, lost_records: usize) -> Partition {
        let partition = self.choose_partition();
        let records = self.topic.elect_leader(partition, lost_records);
        let end_offset = records.len();
        self.core.record(|| format!("topic: partition {partition} has a new leader and ends at {end_offset}"));
        if lost_records > 0 {
            let payloads = records.iter().map(|record| record.payload.as_slice());
            let lost_at_ms = SimulationCore::wall_ms_at(self.core.now());
            self.oracle.lock().observe_lost_records(lost_at_ms, partition, payloads);
        }
        self.instances.iter().for_each(|instance| instance.lock().wakeup.notify());
        partition
    }

    /// Returns what the Redis server needs beside its own data.
    pub(crate) fn redis_surroundings(&self) -> ServerSurroundings<'_> {
        ServerSurroundings { core: &self.core, faults: &self.faults, oracle: &self.oracle }
    }

    /// Applies a write to the store, and checks its effect. Fails if an object to create exists.
    pub(crate) fn apply_store_write(&self, write: &StoreWrite, timing: WriteTiming) -> Result<(), StoreFault> {
        self.objects.apply_write(write)?;
        match write {
            StoreWrite::Create { object_name, bytes } => {
                self.core.record(|| format!("store: {object_name} created"));
                self.observe_created_object(object_name, bytes, timing);
            }
            StoreWrite::Delete { object_names } if !object_names.is_empty() => {
                self.core.record(|| format!("store: deleted {}", object_names.join(", ")));
                self.verify_deleted_objects(object_names);
            }
            StoreWrite::Delete { .. } => {}
        }
        Ok(())
    }

    /// Applies the writes to the store that take effect late.
    pub(crate) fn apply_delayed_store_writes(&self) {
        for write in self.objects.take_due_writes(self.core.now()) {
            self.core.record(|| "store: a delayed request arrives".to_owned());
            // The caller has gone, so that no one hears of an error.
            let _unheard = self.apply_store_write(&write, WriteTiming::Late);
        }
    }

    /// Lets the oracle check a new object of the store.
    fn observe_created_object(&self, name: &str, bytes: &[u8], timing: WriteTiming) {
        if let Some((folder, _)) = name.split_once("/epoch/")
            && let Some(partition) = folder.strip_prefix("partition-").and_then(|number| number.parse().ok())
        {
            self.oracle.lock().observe_claimed_epoch(partition, self.core.now());
        }
        if parse_manifest_name(name).is_none() {
            return;
        }
        let Ok(manifest) = CheckpointManifest::decode(bytes) else {
            return self.core.report_violation(format!("the manifest {name} is unreadable"));
        };
        let existing = self.names_in_folder("");
        self.redis.examine_acknowledged_keys(&self.redis_surroundings(), |holder, keys| {
            self.oracle.lock().verify_rows_before_manifest(&self.core, &manifest, holder, keys);
        });
        self.oracle.lock().observe_created_object(&self.core, name, &manifest, &existing, timing);
    }

    /// Checks that a deletion left all checkpoints whole that count, the largest epoch of each partition, and all savepoints.
    fn verify_deleted_objects(&self, deleted: &[String]) {
        if let Some(name) = deleted.iter().find(|name| name.starts_with(SAVEPOINTS_FOLDER)) {
            self.core.report_violation(format!("{name} was deleted, an object of a savepoint"));
        }
        for (partition, checkpoint_id) in deleted.iter().filter_map(|name| parse_manifest_name(name)) {
            self.oracle.lock().observe_deleted_manifest(partition, checkpoint_id);
        }
        let folders: BTreeSet<&str> = deleted.iter().filter_map(|name| name.split('/').next()).collect();
        for folder in folders {
            let existing = self.names_in_folder(&format!("{folder}/"));
            if deleted.iter().any(|name| name.contains("/epoch/"))
                && !existing.iter().any(|name| name.contains("/epoch/"))
            {
                self.core.report_violation(format!("the largest epoch of {folder} was deleted"));
            }
            for name in existing.iter().filter(|name| name.contains("/checkpoint/")) {
                let Some((partition, checkpoint_id)) = parse_manifest_name(name) else { continue };
                if !self.oracle.lock().is_counted_checkpoint(partition, checkpoint_id) {
                    continue;
                }
                let Some(Ok(manifest)) = self.objects.read_object(name).map(|bytes| CheckpointManifest::decode(&bytes))
                else {
                    continue;
                };
                let parts = manifest.layers.iter().flat_map(|layer| &layer.parts);
                for part in parts.filter(|part| !existing.contains(&part.object_name)) {
                    self.core.report_violation(format!("{} was deleted, but {name} names it", part.object_name));
                }
            }
        }
    }

    /// Damages the newest checkpoint of a partition: its manifest, or an object of its newest layer.
    pub(crate) fn damage_newest_checkpoint(&self) {
        let partition = self.choose_partition();
        let listed = self.objects.list_names(&format!("partition-{partition}/checkpoint"));
        let (Some(newest), Some(manifest)) = (listed.last(), self.read_newest_manifest(partition)) else { return };
        let parts = manifest.layers.last().map(|layer| layer.parts.as_slice()).unwrap_or_default();
        let mut names: Vec<&str> = parts.iter().map(|part| part.object_name.as_str()).collect();
        names.push(&newest.object_name);
        let name = names[self.core.choose_at_random(|random| random.index_below(names.len()))];
        self.damage_object(partition, name);
    }

    /// Damages the manifests of all checkpoints of a partition.
    pub(crate) fn damage_all_checkpoints(&self) {
        let partition = self.choose_partition();
        for listed in self.objects.list_names(&format!("partition-{partition}/checkpoint")) {
            self.damage_object(partition, &listed.object_name);
        }
    }

    fn damage_object(&self, partition: Partition, name: &str) {
        let bit = self.core.choose_at_random(|random| random.next_u64());
        self.core.record(|| format!("store: {name} is damaged"));
        self.objects.damage_object(name, bit);
        self.oracle.lock().observe_damaged_object(partition, name);
    }

    /// Repairs all damaged objects, as an operator does from a backup.
    pub(crate) fn repair_damaged_objects(&self) {
        for name in self.objects.repair_damaged_objects() {
            self.core.record(|| format!("store: {name} is repaired"));
        }
        self.oracle.lock().observe_repair(self.core.now());
    }

    /// Lets the oracle check the partitions that the running processes have parked.
    pub(crate) fn verify_parked_partitions(&self) {
        for (instance, state) in self.instances.iter().enumerate() {
            let metrics = state.lock().metrics.clone();
            let Some(parked) = metrics.map(|metrics| metrics.parked_partitions.list_parked()) else { continue };
            for (partition, parked) in parked {
                let process = self.current_process(instance);
                self.oracle.lock().observe_parked_partition(&self.core, process, partition, &parked.fault);
            }
        }
    }

    /// Returns the newest completed savepoint whose records the topic still has.
    pub(crate) fn find_restorable_savepoint(&self) -> Option<CompletedSavepoint> {
        let log_truncations = self.oracle.lock().counts.log_truncations;
        let mut completed = self.savepoints.completed();
        completed.retain(|savepoint| savepoint.log_truncations_before == log_truncations);
        completed.pop()
    }

    /// Begins a new job with the savepoint: with an empty Redis, and a store that holds only savepoints. All processes
    /// must have ended.
    pub(crate) fn begin_anew_with_savepoint(&self, savepoint: &CompletedSavepoint) {
        let savepoint_id = &savepoint.savepoint_id;
        self.core.record(|| format!("a new job begins with savepoint {savepoint_id}"));
        let mut offsets = PartitionOffsets::new();
        for partition in 0..self.partition_count {
            let folder = format!("{SAVEPOINTS_FOLDER}{savepoint_id}/partition-{partition}/checkpoint");
            let manifest = self.read_newest_manifest_in(&folder);
            let Some(manifest) = manifest else {
                let lacks = format!("savepoint {savepoint_id} is complete, and lacks partition {partition}");
                return self.core.report_violation(lacks);
            };
            offsets.insert(partition, manifest.offset);
        }
        self.objects.keep_only_folder(SAVEPOINTS_FOLDER);
        self.redis.begin_anew(self.scenario.required_copies);
        self.group.forget_committed_offsets();
        let mut oracle = self.oracle.lock();
        oracle.begin_anew_at(offsets);
        oracle.counts.restored_savepoints += 1;
        drop(oracle);
        self.savepoints.begin_with(savepoint_id.clone());
    }

    fn read_newest_manifest_in(&self, folder: &str) -> Option<CheckpointManifest> {
        let listed = self.objects.list_names(folder);
        CheckpointManifest::decode(&self.objects.read_object(&listed.last()?.object_name)?).ok()
    }

    /// Returns the newest manifest of `partition`.
    pub(crate) fn read_newest_manifest(&self, partition: Partition) -> Option<CheckpointManifest> {
        self.read_newest_manifest_in(&format!("partition-{partition}/checkpoint"))
    }

    /// Checks that each of `offsets` is the offset of a checkpoint.
    pub(crate) fn verify_committed_offsets(&self, offsets: &PartitionOffsets) {
        self.oracle.lock().observe_commit(&self.core, offsets);
    }

    /// Returns the instances whose workers say that they own `partition`.
    pub(crate) fn list_owning_instances(&self, partition: Partition) -> Vec<InstanceIndex> {
        let owns = |instance: &Mutex<SimulatedInstance>| {
            let metrics = instance.lock().metrics.clone();
            metrics.is_some_and(|metrics| {
                metrics.partition_statuses.list_published().iter().any(|status| status.partition == partition)
            })
        };
        let instances = self.instances.iter().enumerate().filter(|(_, instance)| owns(instance));
        instances.map(|(index, _)| index).collect()
    }

    fn names_in_folder(&self, folder: &str) -> BTreeSet<String> {
        self.objects.list_names(folder).into_iter().map(|ListedObject { object_name, .. }| object_name).collect()
    }
}

/// Returns the partition and the id in the name of a manifest, such as `partition-3/checkpoint/0000000007-0000000041`.
fn parse_manifest_name(name: &str) -> Option<(Partition, CheckpointId)> {
    let (partition, id) = name.strip_prefix("partition-")?.split_once("/checkpoint/")?;
    let (epoch, number) = id.split_once('-')?;
    let checkpoint_id = CheckpointId { epoch: epoch.parse().ok()?, checkpoint_number: number.parse().ok()? };
    Some((partition.parse().ok()?, checkpoint_id))
}

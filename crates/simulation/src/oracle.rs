//! What must be true, computed from the topic alone by the shards of `windrow-core`.
//!
//! Owns: for each key the sequence of rows that it must have, and the checks of every row, manifest and commit at the
//! moment at which it takes effect.
//! Invariants that it checks: (1) Every row that Redis gets is one that the shard computes, whole, with a time to live.
//! (2) No row goes back: a key never gets a row that comes before its present one. (3) A manifest is created only when
//! all its objects exist, and when Redis has all rows before its offset. (4) An offset is committed only after a
//! manifest with this offset. (5) At the end each key has its last row. (6) A partition is parked only after one of its
//! objects was damaged, or its next record was deleted and a checkpoint has its state. (7) A manifest has the row numbering
//! of its cut.
//! Rows that Redis lost after it had acknowledged them are exempt from (5) if no checkpoint was kept that is old enough to
//! compute them again: see [`LostRows`]. Where a pipeline requires copies of its rows, none is exempt, and each copy must
//! have what a manifest covers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use bumpalo::Bump;
use windrow_core::{LateEvent, Row, Shard, ShardOutput, Value};
use windrow_engine::checkpoint::{CheckpointId, CheckpointManifest};
use windrow_engine::halt::{DamagedState, ErrorChain, LostOffset};
use windrow_engine::{Halt, JobDefinition, Offset, Partition, PartitionOffsets};

use crate::redis_copies::RequiredCopies;
use crate::redis_keys::{StoredHash, StoredKeys, StoredValue};
use crate::simulation_core::{InstanceIndex, InstanceProcess, SimulationCore};
use crate::store::WriteTiming;

const FENCE_KEY_PREFIX: &[u8] = b"windrow:fence:";
/// The keys of the view that the pipeline has only at times. Its rows depend on the offset at which it was added.
const ADDED_VIEW_KEY_PREFIX: &[u8] = b"added:";

/// The fields of a row in Redis.
type RowFields = BTreeMap<Vec<u8>, Vec<u8>>;

/// A row that the shard of a partition computes.
#[derive(Clone, Debug)]
struct ExpectedRow {
    fields: RowFields,
    partition: Partition,
    /// The offset of the record that has caused the row.
    offset: Offset,
    view: usize,
    row_number: u64,
}

/// Rows of one view of a partition that Redis had acknowledged and has lost.
#[derive(Clone, Copy, Debug)]
struct LostRows {
    partition: Partition,
    view: usize,
    first_number: u64,
    last_number: u64,
    /// The rows that the oldest kept checkpoint counted at the first claim after the loss; `None` before the claim. No
    /// checkpoint computes these rows again.
    oldest_kept_count: Option<u64>,
}

/// The first record of a partition that a process has skipped. Its rows are numbered in a new way from there on.
#[derive(Clone, Debug)]
struct SkippedRecord {
    process_name: String,
    partition: Partition,
    offset: Offset,
    skipped_at_ms: i64,
    numberings_before: BTreeSet<u64>,
}

/// A manifest that an instance has created.
#[derive(Clone, Debug)]
struct ObservedManifest {
    checkpoint_id: CheckpointId,
    offset: Offset,
    last_row_numbers: Vec<u64>,
    object_names: BTreeSet<String>,
    /// Whether it was deleted, or lacks objects.
    is_gone: bool,
    timing: WriteTiming,
}

/// The row counts in a fence.
#[derive(Clone, PartialEq, Eq, Debug)]
struct FenceCounts {
    epoch: u64,
    /// For each view, the fingerprint of the numbering and the number of the last row.
    views: Vec<FenceViewCount>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FenceViewCount {
    fingerprint: u64,
    last_row_number: u64,
}

/// What a simulation has done, to see that it tests anything.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SimulationCounts {
    /// Records that producers wrote.
    pub records: u64,
    /// Rows that Redis got.
    pub rows_written: u64,
    /// Manifests that were created.
    pub manifests: u64,
    /// Claims that changed a fence.
    pub fence_claims: u64,
    /// Failovers of Redis.
    pub failovers: u64,
    /// Keys whose last row is exempt, because a failover lost it behind a checkpoint.
    pub exempt_keys: u64,
    /// Ends of instances by a kill.
    pub kills: u64,
    /// Partitions that a process has parked.
    pub parked_partitions: u64,
    /// Elections of a leader that lacked records.
    pub log_truncations: u64,
    /// Changes of the topic after which the job must halt.
    pub topic_changes: u64,
    /// Changes of the pipeline.
    pub pipeline_changes: u64,
    /// Stored dead letters of records. A record can have several.
    pub dead_letters: u64,
    /// Stored dead letters of refused rows.
    pub refused_rows: u64,
    /// Records that were deleted before a source read them.
    pub deleted_records: u64,
    /// Waits for copies in Redis that were acknowledged.
    pub acknowledged_waits: u64,
    /// Waits for copies in Redis that the copies had not confirmed in time.
    pub failed_waits: u64,
    /// Savepoints that were reported as complete.
    pub savepoints: u64,
    /// Savepoints that failed.
    pub failed_savepoints: u64,
    /// New jobs that began with a savepoint.
    pub restored_savepoints: u64,
}

impl AddAssign for SimulationCounts {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.rows_written += other.rows_written;
        self.manifests += other.manifests;
        self.fence_claims += other.fence_claims;
        self.failovers += other.failovers;
        self.exempt_keys += other.exempt_keys;
        self.kills += other.kills;
        self.parked_partitions += other.parked_partitions;
        self.log_truncations += other.log_truncations;
        self.topic_changes += other.topic_changes;
        self.pipeline_changes += other.pipeline_changes;
        self.dead_letters += other.dead_letters;
        self.refused_rows += other.refused_rows;
        self.deleted_records += other.deleted_records;
        self.acknowledged_waits += other.acknowledged_waits;
        self.failed_waits += other.failed_waits;
        self.savepoints += other.savepoints;
        self.failed_savepoints += other.failed_savepoints;
        self.restored_savepoints += other.restored_savepoints;
    }
}

/// The rows that must be in Redis, and the checks.
pub(crate) struct RowOracle {
    job: JobDefinition,
    required_copies: RequiredCopies,
    /// The offsets at which a new job began with a savepoint. Its Redis has only rows of records from there on.
    restored_offsets: PartitionOffsets,
    shards: BTreeMap<Partition, Shard>,
    sequences: BTreeMap<Vec<u8>, Vec<ExpectedRow>>,
    /// The rows that the shard computed from records that the topic has lost since.
    rows_of_lost_records: BTreeMap<Vec<u8>, BTreeSet<RowFields>>,
    /// The partitions that have lost records. Their rows may go back for a time.
    partitions_with_lost_records: BTreeSet<Partition>,
    /// The first gap of each process and partition, with the row numberings that were known before.
    skipped_records: Vec<SkippedRecord>,
    /// The fingerprints of all row numberings of a partition in fences and manifests.
    known_numberings: BTreeMap<Partition, BTreeSet<u64>>,
    /// The partitions of which a source has reported a lost offset.
    partitions_with_lost_offsets: BTreeSet<Partition>,
    /// The largest offset of a checkpoint whose records the topic still had at its newest loss.
    covered_offsets_at_loss: PartitionOffsets,
    /// Whether the pipeline has changed. Then rows after a checkpoint are written again, and may go back for a time.
    has_changed_numbering: bool,
    /// The keys of rows that hold something else.
    occupied_keys: BTreeSet<Vec<u8>>,
    /// For each partition the number of its records, and the offsets of those that are not events.
    record_counts: BTreeMap<Partition, Offset>,
    malformed_records: BTreeMap<Partition, BTreeSet<Offset>>,
    dead_letters: BTreeSet<(Partition, Offset)>,
    manifests: BTreeMap<Partition, Vec<ObservedManifest>>,
    lost_rows: Vec<LostRows>,
    last_failover_ms: i64,
    fence_epochs: BTreeMap<Vec<u8>, u64>,
    damaged_objects: BTreeSet<String>,
    /// The partitions of which an object was ever damaged.
    partitions_with_damage: BTreeSet<Partition>,
    /// The partitions that each process has parked.
    parked_by_process: BTreeSet<(InstanceIndex, u64, Partition)>,
    pub(crate) counts: SimulationCounts,
}

/// Collects the rows of a shard as Redis would hold them.
struct ExpectedRowCollector<'a> {
    job: &'a JobDefinition,
    partition: Partition,
    offset: Offset,
    sequences: &'a mut BTreeMap<Vec<u8>, Vec<ExpectedRow>>,
}

impl ShardOutput for ExpectedRowCollector<'_> {
    fn emit_row(&mut self, row: Row<'_>) {
        let view = &self.job.views[row.view_id.0];
        let mut fields = RowFields::from([(b"user_id".to_vec(), row.entity_key.as_bytes().to_vec())]);
        for (feature, value) in view.features.iter().zip(row.feature_values()) {
            if let Value::Long(number) = value {
                fields.insert(feature.name.as_bytes().to_vec(), number.to_string().into_bytes());
            }
        }
        let key = match &*view.name {
            "recent" => format!("recent:{}", row.entity_key),
            _ => format!("sessions:{}:{}", row.entity_key, row.window.start.ms()),
        };
        let (partition, offset, row_number) = (self.partition, self.offset, row.row_number);
        let expected = ExpectedRow { fields, partition, offset, view: row.view_id.0, row_number };
        self.sequences.entry(key.into_bytes()).or_default().push(expected);
    }

    fn emit_late_event(&mut self, _: LateEvent<'_>) {}
}

impl RowOracle {
    pub(crate) fn new(job: &JobDefinition, partition_count: Partition, required_copies: RequiredCopies) -> Self {
        let new_shard = || Shard::new(job.views.iter(), &job.schema, job.max_out_of_orderness_ms, job.sip_hash_key);
        Self {
            job: job.clone(),
            required_copies,
            restored_offsets: PartitionOffsets::new(),
            shards: (0..partition_count).map(|partition| (partition, new_shard())).collect(),
            sequences: BTreeMap::new(),
            rows_of_lost_records: BTreeMap::new(),
            partitions_with_lost_records: BTreeSet::new(),
            skipped_records: Vec::new(),
            known_numberings: BTreeMap::new(),
            partitions_with_lost_offsets: BTreeSet::new(),
            covered_offsets_at_loss: PartitionOffsets::new(),
            has_changed_numbering: false,
            occupied_keys: BTreeSet::new(),
            record_counts: BTreeMap::new(),
            malformed_records: BTreeMap::new(),
            dead_letters: BTreeSet::new(),
            manifests: BTreeMap::new(),
            lost_rows: Vec::new(),
            last_failover_ms: i64::MIN,
            fence_epochs: BTreeMap::new(),
            damaged_objects: BTreeSet::new(),
            partitions_with_damage: BTreeSet::new(),
            parked_by_process: BTreeSet::new(),
            counts: SimulationCounts::default(),
        }
    }

    /// Computes the rows that a new record of `partition` causes.
    pub(crate) fn observe_record(&mut self, partition: Partition, payload: &[u8]) {
        self.counts.records += 1;
        let arena = Bump::new();
        let Some(shard) = self.shards.get_mut(&partition) else { return };
        let next_offset = self.record_counts.entry(partition).or_default();
        let offset = *next_offset;
        *next_offset += 1;
        if let Ok(event) = self.job.decoder.decode(Some(payload), &arena) {
            let sequences = &mut self.sequences;
            let mut collector = ExpectedRowCollector { job: &self.job, partition, offset, sequences };
            shard.process_event(&event, &mut collector);
        } else {
            self.malformed_records.entry(partition).or_default().insert(offset);
        }
    }

    /// Notes dead letters that are stored.
    pub(crate) fn observe_dead_letters(&mut self, records: Vec<(Partition, Offset)>, refused_row_count: u64) {
        self.counts.dead_letters += records.len() as u64;
        self.counts.refused_rows += refused_row_count;
        self.dead_letters.extend(records);
    }

    /// Notes that a source has skipped a record that is not an event. Rows after it may be written again.
    pub(crate) fn observe_skipped_record(
        &mut self,
        core: &SimulationCore,
        process: InstanceProcess,
        partition: Partition,
        offset: Offset,
    ) {
        self.counts.deleted_records += 1;
        self.has_changed_numbering = true;
        self.dead_letters.insert((partition, offset));
        let process_name = process.name();
        let mut known = self.skipped_records.iter();
        if known.any(|skipped| skipped.partition == partition && skipped.process_name == process_name) {
            return;
        }
        let numberings_before = self.known_numberings.get(&partition).cloned().unwrap_or_default();
        let skipped_at_ms = SimulationCore::wall_ms_at(core.now());
        self.skipped_records.push(SkippedRecord { process_name, partition, offset, skipped_at_ms, numberings_before });
    }

    /// Notes that a source has reported the next offset of `partition` as lost.
    pub(crate) fn observe_lost_offset(&mut self, partition: Partition) {
        self.counts.deleted_records += 1;
        self.partitions_with_lost_offsets.insert(partition);
    }

    /// Checks that a new manifest has the row numbering of its cut, and not that of a gap which the source skipped after
    /// the cut.
    fn verify_numbering_at_cut(&mut self, core: &SimulationCore, manifest: &CheckpointManifest) {
        let is_later = |skipped: &&SkippedRecord| {
            skipped.partition == manifest.partition
                && skipped.process_name == manifest.process_name
                && skipped.offset >= manifest.offset
                && skipped.skipped_at_ms > manifest.taken_at_ms
        };
        let fingerprints = || manifest.views.iter().map(|view| view.row_numbering_fingerprint);
        for skipped in self.skipped_records.iter().filter(is_later) {
            if let Some(fingerprint) = fingerprints().find(|one| !skipped.numberings_before.contains(one)) {
                core.report_violation(format!(
                    "checkpoint {} of partition {} at offset {} has the numbering {fingerprint}, which began at offset {}",
                    manifest.checkpoint_id, manifest.partition, manifest.offset, skipped.offset
                ));
            }
        }
        self.known_numberings.entry(manifest.partition).or_default().extend(fingerprints());
    }

    /// Notes that the rows of all partitions will be numbered in a new way.
    pub(crate) fn observe_changed_numbering(&mut self) {
        self.counts.pipeline_changes += 1;
        self.has_changed_numbering = true;
    }

    /// Chooses the key of a row that will hold something else. Returns `None` if there are no rows.
    pub(crate) fn occupy_row_key(&mut self, index: u64) -> Option<Vec<u8>> {
        let index = usize::try_from(index).unwrap_or(0).checked_rem(self.sequences.len())?;
        let key = self.sequences.keys().nth(index).cloned()?;
        self.occupied_keys.insert(key.clone());
        Some(key)
    }

    /// Computes the rows of `partition` anew from the records that it has kept.
    pub(crate) fn observe_lost_records<'a>(
        &mut self,
        partition: Partition,
        kept_payloads: impl Iterator<Item = &'a [u8]>,
    ) {
        self.counts.log_truncations += 1;
        self.partitions_with_lost_records.insert(partition);
        self.record_counts.remove(&partition);
        self.malformed_records.remove(&partition);
        let job = self.job.clone();
        let shard = Shard::new(job.views.iter(), &job.schema, job.max_out_of_orderness_ms, job.sip_hash_key);
        self.shards.insert(partition, shard);
        let is_of_partition = |rows: &[ExpectedRow]| rows.first().is_some_and(|row| row.partition == partition);
        let former = self.sequences.extract_if(.., |_, rows| is_of_partition(rows)).collect::<Vec<_>>();
        for (key, rows) in former {
            self.rows_of_lost_records.entry(key).or_default().extend(rows.into_iter().map(|row| row.fields));
        }
        let counts = self.counts;
        kept_payloads.for_each(|payload| self.observe_record(partition, payload));
        self.counts = counts;
        let end_offset = self.record_counts.get(&partition).copied().unwrap_or(0);
        let manifests = self.manifests.get(&partition).into_iter().flatten();
        let covered = manifests.map(|manifest| manifest.offset).filter(|offset| *offset <= end_offset).max();
        self.covered_offsets_at_loss.insert(partition, covered.unwrap_or(0));
    }

    /// Checks the rows and fences of a transaction of `instance`. Stores in each row its place in the sequence.
    pub(crate) fn observe_transaction(
        &mut self,
        core: &SimulationCore,
        instance: InstanceIndex,
        changed_keys: &[Vec<u8>],
        keys: &mut StoredKeys,
    ) {
        for key in changed_keys {
            match keys.get_mut(key) {
                Some(StoredValue::Text(text)) if key.starts_with(FENCE_KEY_PREFIX) => {
                    self.observe_fence(core, key, text);
                }
                Some(StoredValue::Text(_)) => {}
                Some(StoredValue::Hash(row)) if key.starts_with(ADDED_VIEW_KEY_PREFIX) => {
                    self.counts.rows_written += 1;
                    if !row.has_ttl {
                        core.report_violation(format!("row {} has no time to live", printable(key)));
                    }
                }
                Some(StoredValue::Hash(row)) => self.observe_row(core, instance, key, row),
                None => {}
            }
        }
    }

    fn observe_fence(&mut self, core: &SimulationCore, key: &[u8], text: &[u8]) {
        let Some(counts) = parse_fence(text) else {
            return core.report_violation(format!("the fence {} is unreadable", printable(key)));
        };
        if let Some(partition) = partition_of_fence(key) {
            let fingerprints = counts.views.iter().map(|view| view.fingerprint);
            self.known_numberings.entry(partition).or_default().extend(fingerprints);
        }
        let known = self.fence_epochs.insert(key.to_vec(), counts.epoch);
        if known != Some(counts.epoch) {
            self.counts.fence_claims += 1;
            if let Some(partition) = partition_of_fence(key) {
                self.note_oldest_kept_checkpoint(partition);
            }
        }
    }

    /// Notes for the lost rows of `partition` which of them no kept checkpoint computes again.
    fn note_oldest_kept_checkpoint(&mut self, partition: Partition) {
        let manifests = self.manifests.get(&partition).into_iter().flatten();
        let kept: Vec<&ObservedManifest> = manifests.filter(|manifest| !manifest.is_gone).collect();
        let is_readable = |manifest: &&&ObservedManifest| manifest.object_names.is_disjoint(&self.damaged_objects);
        let oldest_readable = kept.iter().filter(is_readable).min_by_key(|manifest| manifest.checkpoint_id);
        // If all are damaged, the owner has read one of them before the damage. Which one is not known.
        let newest_kept = kept.iter().max_by_key(|manifest| manifest.checkpoint_id);
        let oldest = oldest_readable.or(newest_kept);
        for lost in self.lost_rows.iter_mut().filter(|lost| lost.partition == partition) {
            let count = oldest.and_then(|oldest| oldest.last_row_numbers.get(lost.view)).copied().unwrap_or(0);
            lost.oldest_kept_count.get_or_insert(count);
        }
    }

    /// Notes that a manifest was deleted.
    pub(crate) fn observe_deleted_manifest(&mut self, partition: Partition, checkpoint_id: CheckpointId) {
        let manifests = self.manifests.get_mut(&partition).into_iter().flatten();
        for manifest in manifests.filter(|manifest| manifest.checkpoint_id == checkpoint_id) {
            manifest.is_gone = true;
        }
    }

    /// Returns whether each owner of `partition` counts the checkpoint: it is whole, and was created in time.
    pub(crate) fn is_counted_checkpoint(&self, partition: Partition, checkpoint_id: CheckpointId) -> bool {
        let mut known = self.manifests.get(&partition).into_iter().flatten();
        let is_in_time = |known: &ObservedManifest| {
            known.checkpoint_id == checkpoint_id && !known.is_gone && known.timing == WriteTiming::InTime
        };
        known.any(is_in_time) && !self.is_overtaken(partition, checkpoint_id)
    }

    /// Returns whether the owner of a larger epoch has used the number of the checkpoint, because it did not know it.
    fn is_overtaken(&self, partition: Partition, checkpoint_id: CheckpointId) -> bool {
        let CheckpointId { epoch, checkpoint_number } = checkpoint_id;
        let mut known = self.manifests.get(&partition).into_iter().flatten().map(|known| known.checkpoint_id);
        known.any(|known| known.epoch > epoch && known.checkpoint_number <= checkpoint_number)
    }

    /// Notes that a fault has damaged an object of `partition`.
    pub(crate) fn observe_damaged_object(&mut self, partition: Partition, name: &str) {
        self.damaged_objects.insert(name.to_owned());
        self.partitions_with_damage.insert(partition);
    }

    /// Notes that all damaged objects were repaired.
    pub(crate) fn observe_repair(&mut self) {
        self.damaged_objects.clear();
    }

    /// Checks that `process` has parked `partition` for a fault of this partition.
    pub(crate) fn observe_parked_partition(
        &mut self,
        core: &SimulationCore,
        process: InstanceProcess,
        partition: Partition,
        fault: &Halt,
    ) {
        let InstanceProcess { instance, start_count } = process;
        if self.parked_by_process.insert((instance, start_count, partition)) {
            self.counts.parked_partitions += 1;
        }
        let is_explained = match fault {
            Halt::DamagedState(DamagedState::NoReadableCheckpoint { .. }) => {
                self.partitions_with_damage.contains(&partition)
            }
            Halt::LostOffset(lost) => {
                self.verify_checkpoint_before_lost_offset(core, lost);
                self.partitions_with_lost_offsets.contains(&partition)
            }
            _ => false,
        };
        if !is_explained {
            core.report_violation(format!(
                "instance {instance} has parked partition {partition}, which has no fault: {}",
                ErrorChain(fault)
            ));
        }
    }

    /// Checks that the state of a partition was stored before the partition was parked for deleted records.
    fn verify_checkpoint_before_lost_offset(&self, core: &SimulationCore, lost: &LostOffset) {
        let mut manifests = self.manifests.get(&lost.partition).into_iter().flatten();
        if lost.lost_offset > 0 && !manifests.any(|manifest| manifest.offset == lost.lost_offset) {
            core.report_violation(format!(
                "partition {} is parked because offset {} was deleted, without a checkpoint at this offset",
                lost.partition, lost.lost_offset
            ));
        }
    }

    fn observe_row(&mut self, core: &SimulationCore, instance: InstanceIndex, key: &[u8], row: &mut StoredHash) {
        self.counts.rows_written += 1;
        core.record(|| format!("redis: row {} {}", printable(key), printable_fields(&row.fields)));
        let sequence = self.sequences.get(key).map(Vec::as_slice).unwrap_or_default();
        let is_same = |expected: &ExpectedRow| expected.fields == row.fields;
        let present = row.sequence_index.unwrap_or(0);
        let described = || format!("row {} {} of instance {instance}", printable(key), printable_fields(&row.fields));
        if !row.has_ttl {
            return core.report_violation(format!("{} has no time to live", described()));
        }
        let lost_records = self.rows_of_lost_records.get(key).is_some_and(|rows| rows.contains(&row.fields));
        let may_go_back = self.has_changed_numbering
            || sequence.first().is_some_and(|row| self.partitions_with_lost_records.contains(&row.partition));
        if let Some(ahead) = sequence[present.min(sequence.len())..].iter().position(is_same) {
            row.sequence_index = Some(present + ahead);
        } else if may_go_back && let Some(index) = sequence.iter().position(is_same) {
            row.sequence_index = Some(index);
        } else if lost_records {
            row.sequence_index = None;
        } else if sequence.iter().any(is_same) {
            core.report_violation(format!("{} goes back", described()));
        } else {
            core.report_violation(format!("{} is none that the shard computes", described()));
        }
    }

    /// Notes which acknowledged rows a failover has lost.
    pub(crate) fn observe_failover(&mut self, core: &SimulationCore, before: &StoredKeys, after: &StoredKeys) {
        self.counts.failovers += 1;
        let lost_at_ms = SimulationCore::wall_ms_at(core.now());
        self.last_failover_ms = lost_at_ms;
        for (key, value) in before.iter().filter(|(key, _)| key.starts_with(FENCE_KEY_PREFIX)) {
            let read = |value: Option<&StoredValue>| match value {
                Some(StoredValue::Text(text)) => parse_fence(text),
                _ => None,
            };
            let (Some(partition), Some(counts)) = (partition_of_fence(key), read(Some(value))) else { continue };
            let kept = read(after.get(key));
            self.fence_epochs.insert(key.clone(), kept.as_ref().map_or(0, |kept| kept.epoch));
            for (view, count) in counts.views.iter().enumerate() {
                // Rows of another numbering are other rows.
                let kept = kept.as_ref().and_then(|kept| kept.views.get(view));
                let kept = kept.filter(|kept| kept.fingerprint == count.fingerprint);
                let kept = kept.map_or(0, |kept| kept.last_row_number);
                if kept < count.last_row_number {
                    let (first_number, last_number) = (kept + 1, count.last_row_number);
                    core.record(|| {
                        format!(
                            "redis: lost rows {first_number} to {last_number} of view {view}, partition {partition}"
                        )
                    });
                    let oldest_kept_count = None;
                    self.lost_rows.push(LostRows { partition, view, first_number, last_number, oldest_kept_count });
                }
            }
        }
    }

    /// Checks that `holder`, whose keys are `keys`, has all rows before the offset of a new manifest. Without required
    /// copies, a failover may have lost them meanwhile.
    pub(crate) fn verify_rows_before_manifest(
        &self,
        core: &SimulationCore,
        manifest: &CheckpointManifest,
        holder: &str,
        keys: &StoredKeys,
    ) {
        let partition = manifest.partition;
        if self.required_copies == RequiredCopies::None && manifest.taken_at_ms <= self.last_failover_ms {
            return;
        }
        let fence = keys.iter().find(|(key, _)| partition_of_fence(key) == Some(partition));
        let counts = fence.and_then(|(_, value)| match value {
            StoredValue::Text(text) => parse_fence(text),
            StoredValue::Hash(_) => None,
        });
        for (index, view) in manifest.views.iter().enumerate() {
            let count = counts.as_ref().and_then(|counts| counts.views.get(index));
            let written = count.filter(|count| count.fingerprint == view.row_numbering_fingerprint);
            if written.is_some_and(|written| written.last_row_number < view.last_row_number) {
                core.report_violation(format!(
                    "checkpoint {} of partition {partition} covers {} rows of view {}, but {holder} has {written:?}",
                    manifest.checkpoint_id, view.last_row_number, view.view_name
                ));
            }
        }
    }

    /// Forgets what the former job has done. A new job begins at `offsets`, with an empty Redis and no checkpoints.
    pub(crate) fn begin_anew_at(&mut self, offsets: PartitionOffsets) {
        self.restored_offsets = offsets;
        self.occupied_keys.clear();
        self.manifests.clear();
        self.lost_rows.clear();
        self.fence_epochs.clear();
        self.last_failover_ms = i64::MIN;
    }

    /// Checks a new object of the store, if it is a manifest.
    pub(crate) fn observe_created_object(
        &mut self,
        core: &SimulationCore,
        manifest_name: &str,
        manifest: &CheckpointManifest,
        existing_objects: &BTreeSet<String>,
        timing: WriteTiming,
    ) {
        self.counts.manifests += 1;
        self.verify_numbering_at_cut(core, manifest);
        let partition = manifest.partition;
        let parts = manifest.layers.iter().flat_map(|layer| &layer.parts);
        let missing: Vec<&str> =
            parts.map(|part| part.object_name.as_str()).filter(|name| !existing_objects.contains(*name)).collect();
        if !missing.is_empty() && !self.has_newer_manifest(manifest) {
            core.report_violation(format!(
                "checkpoint {} of partition {partition} names missing objects: {}",
                manifest.checkpoint_id,
                missing.join(", ")
            ));
        }
        let has_all_objects = missing.is_empty();
        let parts = manifest.layers.iter().flat_map(|layer| &layer.parts);
        let mut object_names: BTreeSet<String> = parts.map(|part| part.object_name.clone()).collect();
        object_names.insert(manifest_name.to_owned());
        self.manifests.entry(partition).or_default().push(ObservedManifest {
            checkpoint_id: manifest.checkpoint_id,
            offset: manifest.offset,
            is_gone: !has_all_objects,
            timing,
            object_names,
            last_row_numbers: manifest.views.iter().map(|view| view.last_row_number).collect(),
        });
    }

    /// Returns whether a newer checkpoint exists. Its owner may have deleted the objects of `manifest`, which a former
    /// owner has created late.
    fn has_newer_manifest(&self, manifest: &CheckpointManifest) -> bool {
        let known = self.manifests.get(&manifest.partition).into_iter().flatten();
        known.into_iter().any(|known| known.checkpoint_id > manifest.checkpoint_id)
    }

    /// Checks that each of `offsets` is the offset of a manifest.
    pub(crate) fn observe_commit(&self, core: &SimulationCore, offsets: &PartitionOffsets) {
        for (partition, offset) in offsets {
            let mut known = self.manifests.get(partition).into_iter().flatten();
            if !known.any(|manifest| manifest.offset == *offset) {
                core.report_violation(format!(
                    "offset {offset} of partition {partition} is committed without a checkpoint"
                ));
            }
        }
    }

    /// Returns a text for each key that does not have its last row, and counts the exempt keys.
    pub(crate) fn describe_differences(&mut self, keys: &StoredKeys) -> Vec<String> {
        let mut differences = Vec::new();
        let mut exempt_keys = 0;
        for (partition, offsets) in &self.malformed_records {
            let missing = offsets.iter().find(|offset| !self.dead_letters.contains(&(*partition, **offset)));
            differences.extend(missing.map(|offset| format!("record {offset} of {partition} is no dead letter")));
        }
        for (key, sequence) in &self.sequences {
            let Some(last) = sequence.last() else { continue };
            if self.occupied_keys.contains(key) {
                if matches!(keys.get(key), Some(StoredValue::Hash(_))) && self.counts.failovers == 0 {
                    differences.push(format!("the text at {} was replaced", printable(key)));
                }
                continue;
            }
            let found = match keys.get(key) {
                Some(StoredValue::Hash(row)) => Some(&row.fields),
                _ => None,
            };
            if self.restored_offsets.get(&last.partition).is_some_and(|offset| last.offset < *offset) {
                if let Some(found) = found {
                    differences.push(format!(
                        "{} is {}, a row from before the savepoint",
                        printable(key),
                        printable_fields(found)
                    ));
                }
                continue;
            }
            if found == Some(&last.fields) {
                continue;
            }
            if found.is_some_and(|found| self.is_left_row_of_lost_record(key, found, last))
                || (self.required_copies == RequiredCopies::None && self.is_exempt(last))
            {
                exempt_keys += 1;
                continue;
            }
            let found = found.map_or_else(|| "nothing".to_owned(), printable_fields);
            differences.push(format!(
                "{} must be {} (row {} of view {} of partition {}) and is {found}",
                printable(key),
                printable_fields(&last.fields),
                last.row_number,
                last.view,
                last.partition
            ));
        }
        self.counts.exempt_keys = exempt_keys;
        let is_known = |key: &Vec<u8>| {
            self.sequences.contains_key(key)
                || self.rows_of_lost_records.contains_key(key)
                || key.starts_with(ADDED_VIEW_KEY_PREFIX)
        };
        for key in keys.keys().filter(|key| !key.starts_with(FENCE_KEY_PREFIX) && !is_known(key)) {
            differences.push(format!("{} is extra", printable(key)));
        }
        differences
    }

    /// Returns whether `found`, the row at `key`, comes from a record that the topic has lost, and its replacement `row` is
    /// not written again, because a checkpoint counts it. Such a row stays until a later one replaces it (fault row 32).
    fn is_left_row_of_lost_record(&self, key: &[u8], found: &RowFields, row: &ExpectedRow) -> bool {
        let is_of_lost_record = self.rows_of_lost_records.get(key).is_some_and(|rows| rows.contains(found));
        let covered_offset = self.covered_offsets_at_loss.get(&row.partition);
        is_of_lost_record && covered_offset.is_some_and(|covered_offset| row.offset < *covered_offset)
    }

    /// Returns whether Redis has lost the row, and no kept checkpoint computes it again.
    fn is_exempt(&self, row: &ExpectedRow) -> bool {
        self.lost_rows.iter().any(|lost| {
            (lost.partition, lost.view) == (row.partition, row.view)
                && (lost.first_number..=lost.last_number).contains(&row.row_number)
                && lost.oldest_kept_count.is_some_and(|count| row.row_number <= count)
        })
    }
}

fn parse_fence(text: &[u8]) -> Option<FenceCounts> {
    let mut words = str::from_utf8(text).ok()?.strip_prefix("1 epoch=")?.split(' ').peekable();
    let epoch = words.next()?.parse().ok()?;
    let _position = words.next_if(|word| word.starts_with("read="));
    let parse_view = |word: &str| {
        let (fingerprint, rows) = word.split_once('=')?.1.split_once(':')?;
        Some(FenceViewCount { fingerprint: fingerprint.parse().ok()?, last_row_number: rows.parse().ok()? })
    };
    Some(FenceCounts { epoch, views: words.map(parse_view).collect::<Option<_>>()? })
}

fn partition_of_fence(key: &[u8]) -> Option<Partition> {
    let key = str::from_utf8(key.strip_prefix(FENCE_KEY_PREFIX)?).ok()?;
    key.rsplit_once(':')?.1.parse().ok()
}

fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn printable_fields(fields: &RowFields) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", printable(name), printable(value))).collect();
    fields.join(" ")
}

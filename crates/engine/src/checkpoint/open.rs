//! Opening a partition: claiming it, finding its newest good checkpoint, putting its shard together.
//!
//! Owns: which checkpoint is used, and when the job halts instead. Does not own: how a shard reads its state (core).
//! Invariants: (1) the partition is claimed in the checkpoint store before its checkpoints are looked at, and at the fence
//! before anything is made of them; (2) a checkpoint that cannot be read is named, and the one before it is used; if
//! there are some and none can be read, the job halts; (3) state that does not belong to this pipeline, or that would be
//! dropped without permission, halts the job.

use std::thread;
use std::time::{Duration, Instant};

use tracing::{error, warn};
use windrow_core::{EventTime, Shard, ShardMetadata, ShardRestore, SnapshotScope};

use super::manifest::{CheckpointId, CheckpointManifest};
use super::names::{self, ParsedObjectName};
use super::state::{self, FormatFault};
use super::{CheckpointConfig, CheckpointStore, StoreFault, beginning, epoch};
use crate::{ClaimOutcome, Epoch, FenceToken, Halt, JobDefinition, Offset, Partition, PartitionClaim, StopSignal};

/// Between two attempts while the checkpoint store is away: doubled from the first to the second.
const RETRY_DELAY_RANGE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often it is mentioned that the store is away.
const RETRY_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// A partition that may be worked on.
#[derive(Debug)]
pub(crate) struct OpenedPartition {
    pub(crate) fence_token: FenceToken,
    pub(crate) shard: Shard,
    /// The offset of the next record, where that is known.
    pub(crate) next_offset: Option<Offset>,
    /// The offset of the checkpoint of its own that it was restored from.
    pub(crate) checkpoint_offset: Option<Offset>,
    /// Per view, where the counting of its rows began.
    pub(crate) beginnings: Vec<u64>,
    /// Per view, the number of the last row that is in the store of rows already.
    pub(crate) rows_written: Vec<u64>,
    /// The checkpoints of this partition that can be read, oldest first; none where the state came from elsewhere.
    pub(crate) kept_manifests: Vec<CheckpointManifest>,
    /// The number of the next checkpoint.
    pub(crate) next_number: u64,
    /// What the next snapshot must hold.
    pub(crate) next_scope: SnapshotScope,
    pub(crate) restored_from: Option<RestoredCheckpoint>,
}

/// What a shard was restored from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RestoredCheckpoint {
    pub(crate) id: CheckpointId,
    /// Wall clock, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
    pub(crate) bytes: u64,
    pub(crate) entities: u64,
    pub(crate) duration: Duration,
    /// The savepoint that this job began from.
    pub(crate) savepoint_place: Option<String>,
}

/// Claims `partition` in the checkpoint store and restores its newest good checkpoint; waits while the store is away, until
/// a stop is requested.
pub(super) fn restore_partition(
    config: &CheckpointConfig,
    job: &JobDefinition,
    partition: Partition,
    stop: &StopSignal,
) -> Result<RestoredShard, Halt> {
    let patient = StoreRetry { config, stop };
    let began = Instant::now();
    let epoch = patient.retry(|| epoch::claim_epoch(config, partition, 0))?;
    let found = patient.find_checkpoint(job, partition)?;
    Ok(RestoredShard { epoch, duration: began.elapsed(), ..found })
}

/// Claims `partition` at the fence, to work on what was found from `start` on; waits while the store of rows is away. `Err`
/// within: the epoch of somebody else who has claimed it meanwhile.
pub(super) fn claim_partition(
    config: &CheckpointConfig,
    job: &JobDefinition,
    partition: Partition,
    mut restored: RestoredShard,
    start: Option<Offset>,
    stop: &StopSignal,
) -> Result<Result<OpenedPartition, Epoch>, Halt> {
    let patient = StoreRetry { config, stop };
    let mut epoch = restored.epoch;
    loop {
        let counts = beginning::row_counts_at_start(
            config,
            job,
            restored.manifest.as_ref(),
            &restored.stored_view_indexes,
            start,
            epoch,
        );
        let claim = PartitionClaim { partition, epoch, row_counts: counts };
        match config.fence.claim_partition(&claim)? {
            ClaimOutcome::Granted(written) => {
                let beginnings = claim.row_counts.iter().map(|count| count.beginning).collect();
                return Ok(Ok(restored.into_opened_partition(
                    FenceToken { partition, epoch },
                    start,
                    beginnings,
                    written,
                )));
            }
            ClaimOutcome::Stale(stored) => {
                // Somebody else's claim of this very job: the partition was given to them while we were opening it, and
                // claiming it from them would fence the one that the group means.
                let newest = patient.retry(|| epoch::newest_epoch(&*config.store, partition))?;
                if let Some(newest) = newest.filter(|newest| *newest > epoch) {
                    return Ok(Err(newest));
                }
                if restored.manifest.is_none() {
                    return Err(Halt::DamagedState(format!(
                        "the store of rows knows partition {partition} under epoch {stored}, but there is no checkpoint of it \
                         in {}: is that the right place, and is it mounted? To begin with empty state all the same, take \
                         another `source.kafka.group`, or delete this job's keys `windrow:fence:…` in Redis",
                        config.store.place()
                    )));
                }
                warn!(partition, epoch, stored, "the store of rows knows a larger epoch; claiming a larger one still");
                epoch = patient.retry(|| epoch::claim_epoch(config, partition, stored + 1))?;
                // Whoever has worked on it before that claim may have completed checkpoints.
                let offset = restored.checkpoint_offset();
                restored =
                    RestoredShard { epoch, duration: restored.duration, ..patient.find_checkpoint(job, partition)? };
                if restored.checkpoint_offset() != offset {
                    return Ok(Err(stored));
                }
            }
        }
    }
}

/// Asks the store until it answers.
struct StoreRetry<'a> {
    config: &'a CheckpointConfig,
    stop: &'a StopSignal,
}

/// What was found for a partition.
#[derive(Debug)]
pub(super) struct RestoredShard {
    epoch: Epoch,
    duration: Duration,
    shard: Shard,
    manifest: Option<CheckpointManifest>,
    /// For every view of the job, the place of its state among those of `used`.
    stored_view_indexes: Vec<Option<usize>>,
    kept_manifests: Vec<CheckpointManifest>,
    next_number: u64,
    /// The savepoint, where `used` is from one or goes back to one.
    savepoint_place: Option<String>,
    next_scope: SnapshotScope,
}

impl StoreRetry<'_> {
    /// Repeats `question` while the store is away.
    fn retry<T>(&self, mut operation: impl FnMut() -> Result<T, StoreFault>) -> Result<T, Halt> {
        let place = self.config.store.place();
        let (mut pause, mut mentioned) = (RETRY_DELAY_RANGE.0, None::<Instant>);
        loop {
            let reason = match operation() {
                Ok(answer) => return Ok(answer),
                Err(StoreFault::Failed(reason)) => reason,
                Err(fault) => {
                    return Err(Halt::CheckpointStore(format!(
                        "the checkpoint store {place} refuses: {fault}. Correct `checkpoint.store`, or what it allows us"
                    )));
                }
            };
            if mentioned.is_none_or(|at| at.elapsed() >= RETRY_LOG_INTERVAL) {
                warn!(store = place, reason, "waiting for the checkpoint store");
                mentioned = Some(Instant::now());
            }
            let resume = Instant::now() + pause;
            while Instant::now() < resume {
                if self.stop.is_requested() {
                    return Err(Halt::NotReachable(format!(
                        "stopped while waiting for the checkpoint store {place}: {reason}"
                    )));
                }
                thread::sleep(Duration::from_millis(20));
            }
            pause = (pause * 2).min(RETRY_DELAY_RANGE.1);
        }
    }

    fn find_checkpoint(&self, job: &JobDefinition, partition: Partition) -> Result<RestoredShard, Halt> {
        let own = &*self.config.store;
        let Some(from) = &self.config.restore_source else {
            let found = self.restore_newest_readable(own, job, partition)?;
            return Ok(found.unwrap_or_else(|(next_number, kept)| RestoredShard::empty(job, next_number, kept)));
        };
        let place = from.store.place();
        let ids = self.retry(|| list_checkpoint_ids(own, partition))?;
        let mut begun = false;
        for &id in ids.iter().rev() {
            if let Ok(manifest) = self.read_manifest(own, partition, id)? {
                begun = manifest.from.as_deref() == Some(place);
                break;
            }
        }
        // The job has begun from there before, perhaps in another process: it goes on, and does not go back again.
        if begun && let Ok(found) = self.restore_newest_readable(own, job, partition)? {
            return Ok(found);
        }
        // Its own state, in whatever shape it is, does not matter otherwise.
        let next_number = ids.iter().map(|id| id.number + 1).max().unwrap_or(1);
        match self.restore_newest_readable(&*from.store, job, partition)? {
            Ok(found) => Ok(RestoredShard {
                kept_manifests: Vec::new(),
                next_number,
                savepoint_place: Some(place.to_owned()),
                next_scope: SnapshotScope::Everything,
                ..found
            }),
            Err(_) => Err(Halt::ForeignState(format!(
                "there is no state of partition {partition} in {place} (--from). Look at it with `windrow state show`"
            ))),
        }
    }

    /// The newest checkpoint in `store` that can be read, or the number of the next one where there is none at all.
    fn restore_newest_readable(
        &self,
        store: &dyn CheckpointStore,
        job: &JobDefinition,
        partition: Partition,
    ) -> Result<Result<RestoredShard, (u64, Vec<CheckpointManifest>)>, Halt> {
        let listed = self.retry(|| list_checkpoint_ids(store, partition))?;
        let next_number = listed.iter().map(|id| id.number + 1).max().unwrap_or(1);
        let (mut found, mut kept, mut damaged) = (None::<RestoredShard>, Vec::new(), Vec::new());
        for &id in listed.iter().rev() {
            let manifest = match self.read_manifest(store, partition, id)? {
                Ok(manifest) => manifest,
                Err(reason) => {
                    error!(partition, checkpoint = %id, reason, "a checkpoint cannot be read; using the one before it");
                    damaged.push(format!("checkpoint {id}: {reason}"));
                    continue;
                }
            };
            if found.is_some() {
                kept.push(manifest);
                continue;
            }
            self.check_identity(&manifest, store)?;
            match self.restore_shard(store, job, &manifest)? {
                Ok((shard, views)) => {
                    // What differs is written down at once, so that the next start need not be told again.
                    let unchanged = views.iter().copied().eq((0..manifest.views.len()).map(Some))
                        && manifest.partitions == self.config.identity.partitions;
                    found = Some(RestoredShard {
                        epoch: 0,
                        duration: Duration::ZERO,
                        shard,
                        stored_view_indexes: views,
                        kept_manifests: Vec::new(),
                        next_number,
                        savepoint_place: manifest.from.clone(),
                        next_scope: if unchanged { SnapshotScope::Changes } else { SnapshotScope::Everything },
                        manifest: Some(manifest.clone()),
                    });
                    kept.push(manifest);
                }
                Err(reason) => {
                    error!(partition, checkpoint = %id, reason, "a checkpoint cannot be read; using the one before it");
                    damaged.push(format!("checkpoint {id}: {reason}"));
                }
            }
        }
        kept.reverse();
        match found {
            Some(found) => Ok(Ok(RestoredShard { kept_manifests: kept, ..found })),
            None if damaged.is_empty() => Ok(Err((next_number, kept))),
            None => Err(Halt::DamagedState(format!(
                "no checkpoint of partition {partition} in {} can be read ({}). Nothing was changed. Put the folder back \
                 from a copy, begin from a savepoint with `--from`, or delete {}/{} and its key `windrow:fence:…` in Redis to read this partition anew",
                store.place(),
                damaged.join("; "),
                store.place(),
                names::partition_folder(partition),
            ))),
        }
    }

    fn read_manifest(
        &self,
        store: &dyn CheckpointStore,
        partition: Partition,
        id: CheckpointId,
    ) -> Result<Result<CheckpointManifest, String>, Halt> {
        let name = names::manifest_object(partition, id);
        let Some(bytes) = self.retry(|| store.read(&name))? else { return Ok(Err("it is gone".to_owned())) };
        match CheckpointManifest::decode(&bytes) {
            Ok(manifest) if manifest.id == id && manifest.partition == partition => Ok(Ok(manifest)),
            Ok(_) => Ok(Err("it is another checkpoint's manifest".to_owned())),
            Err(fault) => halt_if_newer(fault, &name, store).map(Err),
        }
    }

    /// The shard of `manifest`, and where the state of each view of the job stood in it.
    #[allow(clippy::type_complexity)] // an outcome within an outcome: damage is no reason to halt yet
    fn restore_shard(
        &self,
        store: &dyn CheckpointStore,
        job: &JobDefinition,
        manifest: &CheckpointManifest,
    ) -> Result<Result<(Shard, Vec<Option<usize>>), String>, Halt> {
        let views = self.match_views(job, manifest)?;
        let targets = (0..manifest.views.len()).map(|stored| views.iter().position(|view| *view == Some(stored)));
        let mut restoring = ShardRestore::new(job.new_shard(), manifest.slots, targets.collect());
        for part in manifest.layers.iter().flat_map(|layer| &layer.parts) {
            let Some(object) = self.retry(|| store.read(&part.name))? else {
                return Ok(Err(format!("{} is missing", part.name)));
            };
            if object.len() as u64 != part.bytes || state::object_checksum(&object) != part.crc32 {
                return Ok(Err(format!("{} is not what was written", part.name)));
            }
            let bytes = match state::unpack_state(&object) {
                Ok(bytes) => bytes,
                Err(fault) => return halt_if_newer(fault, &part.name, store).map(Err),
            };
            if let Err(damaged) = restoring.apply_piece(&bytes) {
                return Ok(Err(format!("{}: {damaged}", part.name)));
            }
        }
        let rows = views.iter().map(|view| view.map_or(0, |stored| manifest.views[stored].rows)).collect();
        let facts = ShardMetadata {
            watermark: manifest.watermark_ms.map(EventTime::from_ms),
            slot_count: manifest.slots,
            entity_count: 0,
            emitted_rows: rows,
        };
        Ok(restoring.finish(&facts).map(|shard| (shard, views)).map_err(|damaged| damaged.to_string()))
    }

    /// For every view of the job, the place of its state in `manifest`. Halts where state would be dropped and that was not
    /// allowed.
    fn match_views(&self, job: &JobDefinition, manifest: &CheckpointManifest) -> Result<Vec<Option<usize>>, Halt> {
        let definitions: Vec<String> = job.views.iter().map(|view| view.definition(&job.schema)).collect();
        let matching = |name: &str, definition: &str| {
            manifest.views.iter().position(|stored| stored.name == name && stored.definition == definition)
        };
        let views: Vec<_> =
            job.views.iter().zip(&definitions).map(|(view, definition)| matching(&view.name, definition)).collect();
        let mut dropped = Vec::new();
        for (index, stored) in manifest.views.iter().enumerate() {
            if views.contains(&Some(index)) {
                continue;
            }
            let now = job.views.iter().zip(&definitions).find(|(view, _)| *view.name == *stored.name);
            let why = match now {
                Some((_, now)) => format!("`{}` was  {}\n      and is {now}", stored.name, stored.definition),
                None => format!("`{}` is not in the pipeline file any more", stored.name),
            };
            if self.config.droppable_views.contains(&stored.name) {
                warn!(partition = manifest.partition, view = stored.name, "its state is dropped, as asked");
            } else {
                dropped.push((stored.name.clone(), why));
            }
        }
        if !dropped.is_empty() {
            let list: String = dropped.iter().map(|(_, why)| format!("\n    {why}")).collect();
            let flags: Vec<_> = dropped.iter().map(|(name, _)| format!("--drop-state {name}")).collect();
            let kept: Vec<_> =
                job.views.iter().zip(&views).filter(|(_, view)| view.is_some()).map(|(view, _)| &*view.name).collect();
            return Err(Halt::ChangedViews(format!(
                "feature views changed since checkpoint {} of partition {}; the state of these fits no view any more:{list}\n  \
                 The state of {} is kept. Change the pipeline file back, or give the rest up with {}: their windows then \
                 begin anew, and those that are open now will count only what comes from here on.",
                manifest.id,
                manifest.partition,
                if kept.is_empty() { "none".to_owned() } else { kept.join(", ") },
                flags.join(" "),
            )));
        }
        for (view, _) in job.views.iter().zip(&views).filter(|(_, view)| view.is_none()) {
            let view = &*view.name;
            warn!(
                partition = manifest.partition,
                view, "no state of this feature view is kept: its windows begin here"
            );
        }
        Ok(views)
    }

    fn check_identity(&self, manifest: &CheckpointManifest, store: &dyn CheckpointStore) -> Result<(), Halt> {
        let (identity, place) = (&self.config.identity, store.place());
        let ours = (&identity.pipeline, &identity.topic);
        if ours != (&manifest.pipeline, &manifest.topic) {
            return Err(Halt::ForeignState(format!(
                "the state in {place} is of pipeline `{}` over topic `{}`, not of `{}` over `{}`. Correct the pipeline \
                 file or --from; for other events take another `source.kafka.group`, which has a state of its own",
                manifest.pipeline, manifest.topic, ours.0, ours.1
            )));
        }
        if let (Some(then), Some(now)) = (&manifest.topic_id, &identity.topic_id)
            && then != now
        {
            return Err(Halt::TopicRecreated(format!(
                "topic `{}` was deleted and created again since checkpoint {} of partition {} (its id was {then}, and is \
                 {now}): offsets mean other records now. Take another `source.kafka.group`, or delete {place} and \
                 this job's keys `windrow:fence:…` in Redis to begin with the new topic",
                identity.topic, manifest.id, manifest.partition
            )));
        }
        if manifest.partitions != identity.partitions && !self.config.accepts_added_partitions {
            return Err(Halt::PartitionsAdded(format!(
                "topic `{}` had {} partitions at checkpoint {} of partition {}, and has {} now: keys have moved between \
                 partitions, so windows that are open would count only a part of a user's events. Either accept that for \
                 the windows open at the change with --accept-partitions, or read everything anew with another \
                 `source.kafka.group`",
                identity.topic, manifest.partitions, manifest.id, manifest.partition, identity.partitions
            )));
        }
        Ok(())
    }
}

impl RestoredShard {
    /// Nothing is known of the partition.
    fn empty(job: &JobDefinition, next_number: u64, kept_manifests: Vec<CheckpointManifest>) -> Self {
        Self {
            epoch: 0,
            duration: Duration::ZERO,
            shard: job.new_shard(),
            manifest: None,
            stored_view_indexes: vec![None; job.views.len()],
            kept_manifests,
            next_number,
            savepoint_place: None,
            next_scope: SnapshotScope::Everything,
        }
    }

    /// The offset that the checkpoint leads up to.
    pub(super) fn checkpoint_offset(&self) -> Option<Offset> {
        self.manifest.as_ref().map(|used| used.offset)
    }

    fn into_opened_partition(
        self,
        fence_token: FenceToken,
        start: Option<Offset>,
        beginnings: Vec<u64>,
        rows_written: Vec<u64>,
    ) -> OpenedPartition {
        let restored = self.manifest.as_ref().map(|used| RestoredCheckpoint {
            id: used.id,
            taken_at_ms: used.taken_at_ms,
            bytes: used.bytes(),
            entities: used.entities,
            duration: self.duration,
            savepoint_place: self.savepoint_place.clone(),
        });
        OpenedPartition {
            fence_token,
            next_offset: start.or(self.checkpoint_offset()),
            checkpoint_offset: self.checkpoint_offset().filter(|_| !self.kept_manifests.is_empty()),
            shard: self.shard,
            beginnings,
            rows_written,
            kept_manifests: self.kept_manifests,
            next_number: self.next_number,
            next_scope: self.next_scope,
            restored_from: restored,
        }
    }
}

/// A format that is newer halts; anything else is a reason to use the generation before.
fn halt_if_newer(fault: FormatFault, name: &str, store: &dyn CheckpointStore) -> Result<String, Halt> {
    match fault {
        FormatFault::Damaged(reason) => Ok(reason),
        newer @ FormatFault::Newer(..) => Err(Halt::NewerState(format!(
            "{name} in {} cannot be read: {newer}. Run the version that wrote it, or a newer one",
            store.place()
        ))),
    }
}

fn list_checkpoint_ids(store: &dyn CheckpointStore, partition: Partition) -> Result<Vec<CheckpointId>, StoreFault> {
    let listed = store.list(&names::checkpoints_folder(partition))?;
    let mut ids: Vec<_> = listed
        .iter()
        .filter_map(|object| match names::parse_object_name(&object.name) {
            ParsedObjectName::Checkpoint(_, id) => Some(id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

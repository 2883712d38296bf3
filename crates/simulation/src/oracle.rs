//! What must be true, computed from the topic alone by the shards of `windrow-core`.
//!
//! Owns: what is known of the rows, manifests, commits and faults so far. Each file below owns one promise: it checks this
//! promise at the moment at which a row, a manifest or a commit takes effect, or at the end.
//!
//! | file | promise |
//! |---|---|
//! | `oracle/rows_are_computed_and_never_go_back.rs` | every row is one that the shard computes, and none goes back |
//! | `oracle/checkpoints_have_all_objects_and_rows.rs` | a manifest is created only when its objects exist and Redis has its rows |
//! | `oracle/commits_follow_checkpoints.rs` | an offset is committed only after a manifest with this offset |
//! | `oracle/last_rows_remain.rs` | at the end each key has its last row, and each malformed record is a dead letter |
//! | `oracle/rows_lost_by_redis.rs` | lost rows are missing at the end only if no kept checkpoint is old enough |
//! | `oracle/parked_partitions_have_a_fault.rs` | a partition is parked only after a fault of its own |
//! | `oracle/numbering_is_of_the_cut.rs` | a manifest has the row numbering of its cut |
//!
//! The others hold the rows of the shards (`oracle/expected_rows.rs`), the text of a fence (`oracle/fence_text.rs`), and what a
//! simulation has done (`oracle/counts.rs`).

mod checkpoints_have_all_objects_and_rows;
mod commits_follow_checkpoints;
mod counts;
mod expected_rows;
mod fence_text;
mod last_rows_remain;
mod numbering_is_of_the_cut;
mod parked_partitions_have_a_fault;
mod rows_are_computed_and_never_go_back;
mod rows_lost_by_redis;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windrow_core::Shard;
use windrow_engine::{JobDefinition, Offset, Partition, PartitionOffsets};

use self::checkpoints_have_all_objects_and_rows::ObservedManifest;
pub use self::counts::SimulationCounts;
use self::expected_rows::{ExpectedRow, RecordLoss};
use self::numbering_is_of_the_cut::SkippedRecord;
use self::rows_lost_by_redis::LostRows;
use crate::redis_copies::RequiredCopies;
use crate::simulation_core::InstanceIndex;

/// The keys of the view that the pipeline has only at times. Its rows depend on the offset at which it was added.
const ADDED_VIEW_KEY_PREFIX: &[u8] = b"added:";

/// The fields of a row in Redis.
type RowFields = BTreeMap<Vec<u8>, Vec<u8>>;

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
    record_losses: BTreeMap<Partition, RecordLoss>,
    /// The largest offset of a checkpoint that was cut before the newest loss, and whose records the topic still had.
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
    /// When damaged objects were repaired.
    repaired_at: BTreeMap<String, Duration>,
    /// When the newest epoch of each partition was claimed. The owner reads the checkpoints from then on.
    opened_at: BTreeMap<Partition, Duration>,
    /// The partitions of which an object was ever damaged.
    partitions_with_damage: BTreeSet<Partition>,
    /// The partitions that each process has parked.
    parked_by_process: BTreeSet<(InstanceIndex, u64, Partition)>,
    pub(crate) counts: SimulationCounts,
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
            record_losses: BTreeMap::new(),
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
            repaired_at: BTreeMap::new(),
            opened_at: BTreeMap::new(),
            partitions_with_damage: BTreeSet::new(),
            parked_by_process: BTreeSet::new(),
            counts: SimulationCounts::default(),
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
}

fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn printable_fields(fields: &RowFields) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", printable(name), printable(value))).collect();
    fields.join(" ")
}

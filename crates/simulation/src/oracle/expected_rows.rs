//! The rows that the shards of `windrow-core` compute from the topic.
//!
//! Owns: for each key the sequence of its rows, recomputed after Kafka has lost records.

use std::collections::BTreeMap;

use bumpalo::Bump;
use windrow_core::{LateEvent, Row, Shard, ShardOutput, Value};
use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::{JobDefinition, Offset, Partition};

use super::{RowFields, RowOracle};

/// A row that the shard of a partition computes.
#[derive(Clone, Debug)]
pub(super) struct ExpectedRow {
    pub(super) fields: RowFields,
    pub(super) partition: Partition,
    /// The offset of the record that has caused the row.
    pub(super) offset: Offset,
    pub(super) view: usize,
    pub(super) row_number: u64,
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

/// The newest loss of records of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordLoss {
    lost_at_ms: i64,
    /// The offset of the first lost record.
    end_offset: Offset,
}

impl RowOracle {
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
        lost_at_ms: i64,
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
        self.record_losses.insert(partition, RecordLoss { lost_at_ms, end_offset });
    }

    /// Notes a manifest that was created after a loss of records, and whose cut was before the loss.
    pub(super) fn note_cut_before_loss(&mut self, manifest: &CheckpointManifest) {
        let loss = self.record_losses.get(&manifest.partition);
        if loss.is_some_and(|loss| manifest.taken_at_ms <= loss.lost_at_ms && manifest.offset <= loss.end_offset) {
            let covered = self.covered_offsets_at_loss.entry(manifest.partition).or_default();
            *covered = manifest.offset.max(*covered);
        }
    }
}

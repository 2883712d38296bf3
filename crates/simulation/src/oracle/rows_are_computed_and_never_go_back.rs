//! Every row that Redis gets is one that the shard computes, whole, with a time to live. A key never gets a row that comes
//! before its present one.

use super::expected_rows::ExpectedRow;
use super::fence_text::{FENCE_KEY_PREFIX, parse_fence, partition_of_fence};
use super::{ADDED_VIEW_KEY_PREFIX, RowOracle, printable, printable_fields};
use crate::redis_keys::{StoredHash, StoredKeys, StoredValue};
use crate::simulation_core::{InstanceIndex, SimulationCore};

impl RowOracle {
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
}

//! Rows that Redis lost after it had acknowledged them are missing at the end only if no checkpoint was kept that is old
//! enough to compute them again.

use windrow_engine::Partition;

use super::RowOracle;
use super::checkpoints_have_all_objects_and_rows::ObservedManifest;
use super::expected_rows::ExpectedRow;
use super::fence_text::{FENCE_KEY_PREFIX, parse_fence, partition_of_fence};
use crate::redis_keys::{StoredKeys, StoredValue};
use crate::simulation_core::SimulationCore;

/// Rows of one view of a partition that Redis had acknowledged and has lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostRows {
    pub(super) partition: Partition,
    pub(super) view: usize,
    pub(super) first_number: u64,
    pub(super) last_number: u64,
    /// The rows that the oldest kept checkpoint counted at the first claim after the loss; `None` before the claim. No
    /// checkpoint computes these rows again.
    pub(super) oldest_kept_count: Option<u64>,
}

impl RowOracle {
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

    /// Notes for the lost rows of `partition` which of them no kept checkpoint computes again.
    pub(super) fn note_oldest_kept_checkpoint(&mut self, partition: Partition) {
        let manifests = self.manifests.get(&partition).into_iter().flatten();
        let kept: Vec<&ObservedManifest> = manifests.filter(|manifest| !manifest.is_gone).collect();
        let opened_at = self.opened_at.get(&partition).copied().unwrap_or_default();
        let was_damaged =
            |name: &String| self.repaired_at.get(name).is_some_and(|repaired_at| *repaired_at >= opened_at);
        let is_readable = |manifest: &&&ObservedManifest| {
            manifest.object_names.is_disjoint(&self.damaged_objects) && !manifest.object_names.iter().any(was_damaged)
        };
        let oldest_readable = kept.iter().filter(is_readable).min_by_key(|manifest| manifest.checkpoint_id);
        // If each was damaged at some time of the opening, the owner has read one of them at another time. Which one is not
        // known.
        let newest_kept = kept.iter().max_by_key(|manifest| manifest.checkpoint_id);
        let oldest = oldest_readable.or(newest_kept);
        for lost in self.lost_rows.iter_mut().filter(|lost| lost.partition == partition) {
            let count = oldest.and_then(|oldest| oldest.last_row_numbers.get(lost.view)).copied().unwrap_or(0);
            lost.oldest_kept_count.get_or_insert(count);
        }
    }

    /// Returns whether Redis has lost the row, and no kept checkpoint computes it again.
    pub(super) fn is_exempt(&self, row: &ExpectedRow) -> bool {
        self.lost_rows.iter().any(|lost| {
            (lost.partition, lost.view) == (row.partition, row.view)
                && (lost.first_number..=lost.last_number).contains(&row.row_number)
                && lost.oldest_kept_count.is_some_and(|count| row.row_number <= count)
        })
    }
}

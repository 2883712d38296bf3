//! A manifest has the row numbering of its cut.

use std::collections::BTreeSet;

use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::{Offset, Partition};

use super::RowOracle;
use crate::simulation_core::{InstanceProcess, SimulationCore};

/// The first record of a partition that a process has skipped. Its rows are numbered in a new way from there on.
#[derive(Clone, Debug)]
pub(super) struct SkippedRecord {
    pub(super) process_name: String,
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    pub(super) skipped_at_ms: i64,
    pub(super) numberings_before: BTreeSet<u64>,
}

impl RowOracle {
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

    /// Checks that a new manifest has the row numbering of its cut, and not that of a gap which the source skipped after
    /// the cut.
    pub(super) fn verify_numbering_at_cut(&mut self, core: &SimulationCore, manifest: &CheckpointManifest) {
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
}

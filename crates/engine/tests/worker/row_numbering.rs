//! The numbering of rows changes while a checkpoint is being saved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::{
    CheckpointConfig, Clock, Halt, ManualClock, Offset, PollOutcome, SourceRecord, StopSignal, SystemClock,
    WorkerMetrics,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryStore, StoreCallHandler};
use crate::support::scripted_worker::{SourceScript, WorkerSurroundings};
use crate::support::test_job::{checkpoint_config, payload_of_user, record_without_key, save_one_slot_per_poll};

const USERS: Offset = 30;
/// The time between two checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Delivers records of all users of partition 0. While the second checkpoint is being saved, skips records.
struct RecordsWithGap {
    clock: ManualClock,
    stop: StopSignal,
    real_clock: SystemClock,
    metrics: Arc<WorkerMetrics>,
    next_offset: Offset,
    phase: GapPhase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GapPhase {
    Assignment,
    FirstCheckpoint,
    SecondCut,
    SecondCheckpoint,
}

impl RecordsWithGap {
    fn deliver_records(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        for user in 0..USERS {
            let payload = payload_of_user(user);
            on_record(record_without_key(0, self.next_offset, payload.as_bytes()))?;
            self.next_offset += 1;
        }
        Ok(PollOutcome::Records)
    }
}

impl SourceScript for RecordsWithGap {
    fn next_poll(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        assert!(self.real_clock.monotonic_now() < HANG_TIMEOUT, "hangs in {:?}", self.phase);
        // The checkpoint thread runs in real time.
        self.real_clock.sleep(Duration::from_millis(1));
        let checkpoints = &self.metrics.checkpoint_metrics;
        match self.phase {
            GapPhase::Assignment => {
                self.phase = GapPhase::FirstCheckpoint;
                Ok(PollOutcome::Assigned(vec![0]))
            }
            GapPhase::FirstCheckpoint if checkpoints.completed_checkpoints.get() == 1 => {
                self.clock.advance(CHECKPOINT_INTERVAL);
                self.phase = GapPhase::SecondCut;
                self.deliver_records(on_record)
            }
            GapPhase::SecondCut if checkpoints.checkpoints_in_progress_count() == 1 => {
                self.phase = GapPhase::SecondCheckpoint;
                Ok(PollOutcome::OffsetsSkipped(vec![0]))
            }
            GapPhase::SecondCheckpoint if checkpoints.completed_checkpoints.get() == 2 => {
                self.deliver_records(on_record)?;
                self.stop.request();
                Ok(PollOutcome::Idle)
            }
            GapPhase::FirstCheckpoint | GapPhase::SecondCut | GapPhase::SecondCheckpoint => Ok(PollOutcome::Idle),
        }
    }
}

#[derive(Debug, Default)]
struct NoStoreFaults;

impl StoreCallHandler for NoStoreFaults {}

/// A manifest describes the state at the cut of its snapshot, also if the worker begins another numbering of rows before
/// the snapshot is saved.
#[test]
fn a_manifest_has_the_numbering_of_the_cut() {
    let store = Arc::new(MemoryStore::<NoStoreFaults>::default());
    let surroundings = WorkerSurroundings::default();
    let source = RecordsWithGap {
        clock: surroundings.clock.clone(),
        stop: surroundings.stop.clone(),
        real_clock: SystemClock::start(),
        metrics: Arc::clone(&surroundings.metrics),
        next_offset: 0,
        phase: GapPhase::Assignment,
    };
    let checkpoints = CheckpointConfig {
        checkpoint_interval: CHECKPOINT_INTERVAL,
        snapshot_limits: save_one_slot_per_poll(),
        ..checkpoint_config(Arc::<MemoryStore<NoStoreFaults>>::clone(&store))
    };
    surroundings.run_counting_job(source, checkpoints).expect("no halt");
    let numberings: BTreeMap<Offset, u64> = store
        .objects
        .lock()
        .iter()
        .filter(|(name, _)| name.contains("/checkpoint/"))
        .map(|(_, bytes)| CheckpointManifest::decode(bytes).expect("a manifest"))
        .map(|manifest| (manifest.offset, manifest.views[0].row_numbering_fingerprint))
        .collect();
    assert_eq!(numberings.keys().copied().collect::<Vec<_>>(), [0, USERS, 2 * USERS]);
    assert_eq!(numberings[&USERS], numberings[&0], "the records were skipped after this cut");
    assert_ne!(numberings[&(2 * USERS)], numberings[&0], "the records were skipped before this cut");
}

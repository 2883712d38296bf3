//! The numbering of rows changes while a checkpoint is being saved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::checkpoint::{CheckpointManifest, SnapshotLimits};
use windrow_engine::{
    CheckpointConfig, Clock, Halt, ManualClock, NoDeadLetterSink, Offset, PollOutcome, SourceRecord, StopSignal,
    SystemClock, Worker, WorkerMetrics, WorkerParts,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryStore, StoreCallHandler};
use crate::support::scripted_worker::{DiscardedRows, InstantSink, ScriptedSource, SourceScript};
use crate::support::test_job::{checkpoint_config, counting_job, record_without_key};

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
            let payload = format!(r#"{{"user_id":"{user}","event_time":0}}"#);
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
    let (clock, metrics, stop) = (ManualClock::starting_at(0), WorkerMetrics::new(1), StopSignal::default());
    let source = RecordsWithGap {
        clock: clock.clone(),
        stop: stop.clone(),
        real_clock: SystemClock::start(),
        metrics: Arc::clone(&metrics),
        next_offset: 0,
        phase: GapPhase::Assignment,
    };
    let checkpoints = CheckpointConfig {
        checkpoint_interval: CHECKPOINT_INTERVAL,
        // One slot per poll, so that a snapshot of all users takes many polls.
        snapshot_limits: SnapshotLimits { save_bytes_per_poll: 1, ..SnapshotLimits::default() },
        ..checkpoint_config(Arc::<MemoryStore<NoStoreFaults>>::clone(&store))
    };
    let mut worker = Worker::new(WorkerParts {
        job: counting_job(),
        source: ScriptedSource(source),
        sink: InstantSink(DiscardedRows),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: Some(checkpoints),
        stop_signal: stop,
        metrics,
    });
    worker.run().expect("no halt");
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

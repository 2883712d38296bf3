//! Checkpoints of many partitions, where saving takes longer than the checkpoint interval.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::checkpoint::PartitionFaultPolicy;
use windrow_engine::{
    CheckpointConfig, Clock, CommitWait, Halt, ManualClock, Offset, Partition, PartitionOffsets, PollOutcome,
    SourceRecord, StopSignal, SystemClock, WorkerMetrics,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryObjects, MemoryStore, StoreCall, StoreCallHandler};
use crate::support::scripted_worker::{SourceScript, WorkerSurroundings};
use crate::support::test_job::{checkpoint_config, payload_of_user, record_without_key, save_one_slot_per_poll};

const PARTITIONS: [Partition; 4] = [0, 1, 2, 3];
const USERS: Offset = 30;
/// The offset after 100 polls. By then, each partition has had its first turn.
const LATE_OFFSET: Offset = 100 * USERS;
/// Enough polls for dozens of checkpoints of each partition.
const MAX_POLLS: u32 = 2_000;

/// The time between two polls, and between two checkpoints of a partition.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Delivers a record of each user in each partition per poll, until every partition has a checkpoint after
/// [`LATE_OFFSET`]. So saving a partition takes as long as it takes the one before it to be due again. The clock advances
/// with each poll. A poll first waits for the checkpoint thread, so the outcome does not depend on its speed.
struct SteadyRecords {
    clock: ManualClock,
    stop: StopSignal,
    offset: Offset,
    polls: u32,
    committed: Arc<Mutex<PartitionOffsets>>,
    metrics: Arc<WorkerMetrics>,
    store: Arc<CountingStore>,
    real_clock: SystemClock,
}

impl SteadyRecords {
    /// Waits until the checkpoint thread has completed all snapshots except the one that the worker is saving.
    fn wait_for_checkpoint_thread(&self) {
        let checkpoints = &self.metrics.checkpoint_metrics;
        let in_progress = checkpoints.checkpoints_in_progress_count() as u64;
        let saved = (checkpoints.completed_checkpoints.get() + in_progress).saturating_sub(1);
        let until = self.real_clock.monotonic_now() + HANG_TIMEOUT;
        while self.store.handler.cleanup_count.load(Ordering::Acquire) < saved {
            assert!(self.real_clock.monotonic_now() < until, "the checkpoint thread hangs");
            self.real_clock.sleep(Duration::from_micros(50));
        }
        // After the cleanup, the thread only sends an event to the worker.
        self.real_clock.sleep(Duration::from_millis(1));
    }
}

impl SourceScript for SteadyRecords {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        self.polls += 1;
        if self.polls == 1 {
            return Ok(PollOutcome::Assigned(PARTITIONS.to_vec()));
        }
        if self.polls > MAX_POLLS || has_late_checkpoints(&self.committed.lock()) {
            self.stop.request();
            return Ok(PollOutcome::Idle);
        }
        self.wait_for_checkpoint_thread();
        self.clock.advance(POLL_INTERVAL);
        for user in 0..USERS {
            let payload = payload_of_user(user);
            for partition in PARTITIONS {
                each(record_without_key(partition, self.offset, payload.as_bytes()))?;
            }
            self.offset += 1;
        }
        Ok(PollOutcome::Records)
    }

    fn note_commit(&mut self, offsets: &PartitionOffsets, wait: CommitWait) {
        // The commits after a stop follow the last checkpoints, which every partition gets.
        if wait == CommitWait::Background && !self.stop.is_requested() {
            self.committed.lock().extend(offsets);
        }
    }
}

/// Returns whether each partition has a checkpoint after [`LATE_OFFSET`].
fn has_late_checkpoints(committed: &PartitionOffsets) -> bool {
    PARTITIONS.iter().all(|partition| committed.get(partition).is_some_and(|offset| *offset >= LATE_OFFSET))
}

/// Counts the completed checkpoints: each ends with a deletion of old objects.
#[derive(Debug, Default)]
struct CleanupCounter {
    cleanup_count: AtomicU64,
}

impl StoreCallHandler for CleanupCounter {
    fn note_end_of_call(&self, _: &MemoryObjects, call: StoreCall) {
        if call == StoreCall::Delete {
            self.cleanup_count.fetch_add(1, Ordering::Release);
        }
    }
}

type CountingStore = MemoryStore<CleanupCounter>;

/// The partition whose checkpoint has been due for the longest time is next. So every partition gets its turn, although
/// the first ones are due again before the others have been saved.
#[test]
fn every_partition_gets_its_turn() {
    let store = Arc::new(CountingStore::default());
    let checkpoints = CheckpointConfig {
        checkpoint_interval: POLL_INTERVAL,
        partition_fault_policy: PartitionFaultPolicy::Halt,
        snapshot_limits: save_one_slot_per_poll(),
        ..checkpoint_config(Arc::<CountingStore>::clone(&store))
    };
    let (surroundings, committed) = (WorkerSurroundings::default(), Arc::<Mutex<PartitionOffsets>>::default());
    let source = SteadyRecords {
        clock: surroundings.clock.clone(),
        stop: surroundings.stop.clone(),
        offset: 0,
        polls: 0,
        committed: Arc::clone(&committed),
        metrics: Arc::clone(&surroundings.metrics),
        store,
        real_clock: SystemClock::start(),
    };
    surroundings.run_counting_job(source, checkpoints).expect("no halt");
    let committed = committed.lock().clone();
    assert!(has_late_checkpoints(&committed), "checkpoints: {committed:?}");
}

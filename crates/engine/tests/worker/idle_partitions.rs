//! Partitions without new records, which another worker claims.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::{
    CheckpointConfig, Clock, FenceToken, Halt, LostPartition, ManualClock, NoDeadLetterSink, Partition,
    PartitionLossReason, PollOutcome, SourceRecord, StopSignal, SystemClock, Worker, WorkerMetrics, WorkerParts,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryStore, StoreCallHandler};
use crate::support::scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};
use crate::support::test_job::{checkpoint_config, counting_job};

const PARTITIONS: [Partition; 2] = [0, 1];
/// The epoch of the other worker's claim.
const NEWER_EPOCH: u64 = 50;
/// The time that passes with each poll. It is longer than a poll of a source waits.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The time after the claim in which the worker notices it.
const NOTICE_LIMIT: Duration = Duration::from_secs(15);
/// The time for which the checks of the fence are counted.
const COUNTED_TIME: Duration = Duration::from_secs(60);

/// What the fence knows, and how often the worker has asked it.
#[derive(Default)]
struct FenceState {
    overtaken_partition: Option<Partition>,
    checks_by_partition: BTreeMap<Partition, u32>,
    lost_partitions: Vec<LostPartition>,
}

/// Checks fences, and expects no rows.
struct CheckedFence(Arc<Mutex<FenceState>>);

impl RowHandler for CheckedFence {
    fn handle_row(&mut self, _: Row<'_>) {
        unreachable!("the partitions have no records");
    }

    fn note_fence_check(&mut self, fence_token: FenceToken) {
        let mut fence = self.0.lock();
        *fence.checks_by_partition.entry(fence_token.partition).or_default() += 1;
        if fence.overtaken_partition == Some(fence_token.partition) {
            fence.lost_partitions.push(LostPartition { fence_token, reason: PartitionLossReason::Fenced(NEWER_EPOCH) });
        }
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        std::mem::take(&mut self.0.lock().lost_partitions)
    }
}

/// Assigns partitions without records. After their first checkpoints and [`COUNTED_TIME`], another worker claims one.
struct IdleScript {
    clock: ManualClock,
    real_clock: SystemClock,
    metrics: Arc<WorkerMetrics>,
    fence: Arc<Mutex<FenceState>>,
    stop: StopSignal,
    is_assigned: bool,
    counted_since: Option<Duration>,
    overtaken_at: Option<Duration>,
    noticed_after: Arc<Mutex<Option<Duration>>>,
}

impl SourceScript for IdleScript {
    fn next_poll(&mut self, _: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        if !std::mem::replace(&mut self.is_assigned, true) {
            return Ok(PollOutcome::Assigned(PARTITIONS.to_vec()));
        }
        assert!(self.real_clock.monotonic_now() < HANG_TIMEOUT, "the checkpoint thread hangs");
        // The checkpoint thread works in real time.
        self.real_clock.sleep(Duration::from_millis(1));
        if self.metrics.checkpoint_metrics.completed_checkpoints.get() < PARTITIONS.len() as u64 {
            return Ok(PollOutcome::Idle);
        }
        self.clock.advance(POLL_INTERVAL);
        let now = self.clock.monotonic_now();
        let mut fence = self.fence.lock();
        let counted_since = *self.counted_since.get_or_insert_with(|| {
            fence.checks_by_partition.clear();
            now
        });
        if now < counted_since + COUNTED_TIME {
            return Ok(PollOutcome::Idle);
        }
        let overtaken_at = *self.overtaken_at.get_or_insert_with(|| {
            fence.overtaken_partition = Some(0);
            now
        });
        drop(fence);
        let is_noticed = self.metrics.checkpoint_metrics.partitions_fenced.get() > 0;
        if is_noticed {
            *self.noticed_after.lock() = Some(now - overtaken_at);
        }
        if is_noticed || now > overtaken_at + COUNTED_TIME {
            self.stop.request();
        }
        Ok(PollOutcome::Idle)
    }
}

#[derive(Debug, Default)]
struct EveryCallSucceeds;

impl StoreCallHandler for EveryCallSucceeds {}

/// Checkpoints do not show it: a partition without new records takes none.
#[test]
fn a_worker_notices_that_its_idle_partition_was_claimed() {
    let (clock, stop, metrics) = (ManualClock::starting_at(0), StopSignal::default(), WorkerMetrics::new(1));
    let (fence, noticed_after) = (Arc::<Mutex<FenceState>>::default(), Arc::default());
    let script = IdleScript {
        clock: clock.clone(),
        real_clock: SystemClock::start(),
        metrics: Arc::clone(&metrics),
        fence: Arc::clone(&fence),
        stop: stop.clone(),
        is_assigned: false,
        counted_since: None,
        overtaken_at: None,
        noticed_after: Arc::clone(&noticed_after),
    };
    let store = Arc::new(MemoryStore::<EveryCallSucceeds>::default());
    let mut worker = Worker::new(WorkerParts {
        job: counting_job(),
        source: ScriptedSource(script),
        sink: InstantSink(CheckedFence(Arc::clone(&fence))),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: Some(CheckpointConfig { checkpoint_interval: HANG_TIMEOUT, ..checkpoint_config(store) }),
        stop_signal: stop,
        metrics,
    });
    worker.run().expect("no halt");
    let noticed_after = noticed_after.lock().expect("the worker notices the claim");
    assert!(noticed_after <= NOTICE_LIMIT, "noticed after {noticed_after:?}");
    assert!(
        fence.lock().checks_by_partition.values().all(|&checks| checks <= 8),
        "{:?}",
        fence.lock().checks_by_partition
    );
}

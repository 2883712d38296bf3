//! Partitions that are opened while the checkpoint store hangs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::checkpoint::PartitionFaultPolicy;
use windrow_engine::halt::share_error;
use windrow_engine::{
    CheckpointConfig, Clock, GroupDeparture, Halt, ManualClock, Partition, PartitionOffsets, PollOutcome, SourceRecord,
    StopSignal, StoreFault, SystemClock, WorkerMetrics, WorkerOutcome,
};

use crate::support::HANG_TIMEOUT;
use crate::support::memory_store::{MemoryObjects, MemoryStore, StoreCall, StoreCallHandler};
use crate::support::scripted_worker::{SourceScript, WorkerSurroundings};
use crate::support::test_job::{checkpoint_config, record_without_key};

/// Which calls of a store hang.
#[derive(Debug)]
struct HangingCalls {
    hanging_partitions: Mutex<BTreeSet<Partition>>,
    hanging_calls: Mutex<BTreeSet<StoreCall>>,
    /// Whether the store refuses to create the object with which a worker probes it.
    refuses_probe: AtomicBool,
    /// The number of calls that hang now.
    hanging_call_count: Mutex<u32>,
    /// The number of lists after which another worker claims epoch 5 of partition 0 and deletes the smaller epochs. 0: no
    /// other worker claims it.
    lists_until_overtaken: Mutex<u32>,
    clock: SystemClock,
}

impl StoreCallHandler for HangingCalls {
    fn handle_call(&self, _: &MemoryObjects, call: StoreCall, name: &str) -> Result<(), StoreFault> {
        let hangs = || {
            let is_in_partition = |one: &Partition| name.starts_with(&format!("partition-{one}/"));
            self.hanging_calls.lock().contains(&call) || self.hanging_partitions.lock().iter().any(is_in_partition)
        };
        if call != StoreCall::Delete && hangs() {
            *self.hanging_call_count.lock() += 1;
            while hangs() {
                self.clock.sleep(Duration::from_millis(1));
            }
            *self.hanging_call_count.lock() -= 1;
        }
        if call == StoreCall::Create && name == "store-probe" && self.refuses_probe.load(Ordering::Acquire) {
            return Err(StoreFault::Refused(share_error("read-only")));
        }
        Ok(())
    }

    fn note_end_of_call(&self, objects: &MemoryObjects, call: StoreCall) {
        let mut lists = self.lists_until_overtaken.lock();
        if call == StoreCall::List && *lists > 0 {
            *lists -= 1;
            if *lists == 0 {
                *objects.lock() = BTreeMap::from([("partition-0/epoch/0000000005".to_owned(), b"another".to_vec())]);
            }
        }
    }
}

type HangingStore = MemoryStore<HangingCalls>;

fn store_with_hanging_partitions(hanging_partitions: &[Partition]) -> Arc<HangingStore> {
    let handler = HangingCalls {
        hanging_partitions: Mutex::new(hanging_partitions.iter().copied().collect()),
        hanging_calls: Mutex::default(),
        refuses_probe: AtomicBool::new(false),
        hanging_call_count: Mutex::default(),
        lists_until_overtaken: Mutex::default(),
        clock: SystemClock::start(),
    };
    Arc::new(HangingStore { objects: MemoryObjects::default(), handler })
}

/// Asserts that no object of a probe is left. The thread of the probe deletes it after its answer.
fn assert_probe_is_deleted(store: &HangingStore) {
    let clock = &store.handler.clock;
    let until = clock.monotonic_now() + HANG_TIMEOUT;
    while store.objects.lock().contains_key("store-probe") {
        assert!(clock.monotonic_now() < until, "the object of the probe is left");
        clock.sleep(Duration::from_millis(1));
    }
}

/// What the worker has told its source.
#[derive(Clone, PartialEq, Eq, Debug)]
enum SourceCall {
    Accepted(Vec<Partition>),
    Started(Vec<Partition>),
    Released(Vec<Partition>),
    LeftGroup,
    RejoinedGroup,
}

/// A step of a script: it is over when `is_done` returns true.
enum ScriptStep {
    /// The poll returns this outcome.
    Return(PollOutcome),
    /// The worker makes this call.
    Await(SourceCall),
    /// The worker makes this call after those that earlier steps of this kind have awaited.
    AwaitNext(SourceCall),
    /// The worker has made no call after those.
    ExpectNoCall,
    /// So many calls of the store hang.
    AwaitHangingCalls(u32),
    /// The worker has passed this timeout to the poll.
    ExpectPollTimeout(Duration),
    /// The clock of the worker advances.
    Advance(Duration),
    /// The worker polls so many times.
    Poll(u32),
    /// Calls for this partition hang.
    Hang(Partition),
    /// The store answers again.
    Heal,
    /// Records arrive until all of them were delivered to a running partition.
    Deliver(Partition),
}

/// Follows its steps, and then requests a stop.
struct StepScript {
    steps: Vec<ScriptStep>,
    calls: Arc<Mutex<Vec<SourceCall>>>,
    /// The number of calls up to the one that the last [`ScriptStep::AwaitNext`] awaited.
    awaited_call_count: usize,
    store: Arc<HangingStore>,
    metrics: Arc<WorkerMetrics>,
    stop: StopSignal,
    step_began: Option<Duration>,
    worker_clock: ManualClock,
    poll_timeout: Duration,
}

impl StepScript {
    fn deliver(partition: Partition, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        each(record_without_key(partition, 0, br#"{"user_id":"u","event_time":0}"#))
    }
}

impl SourceScript for StepScript {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        let now = self.store.handler.clock.monotonic_now();
        let began = *self.step_began.get_or_insert(now);
        let Some(step) = self.steps.first_mut() else {
            self.stop.request();
            return Ok(PollOutcome::Idle);
        };
        let (outcome, is_done) = match step {
            ScriptStep::Return(outcome) => (outcome.clone(), true),
            ScriptStep::Await(call) => (PollOutcome::Idle, self.calls.lock().contains(call)),
            ScriptStep::AwaitNext(call) => {
                let calls = self.calls.lock();
                let found = calls[self.awaited_call_count..].iter().position(|made| made == call);
                self.awaited_call_count += found.map_or(0, |index| index + 1);
                (PollOutcome::Idle, found.is_some())
            }
            ScriptStep::ExpectNoCall => {
                let calls = self.calls.lock();
                assert_eq!(calls[self.awaited_call_count..], [], "{calls:?}");
                (PollOutcome::Idle, true)
            }
            ScriptStep::AwaitHangingCalls(count) => {
                (PollOutcome::Idle, *self.store.handler.hanging_call_count.lock() == *count)
            }
            ScriptStep::ExpectPollTimeout(timeout) => {
                assert_eq!(self.poll_timeout, *timeout);
                (PollOutcome::Idle, true)
            }
            ScriptStep::Advance(duration) => {
                self.worker_clock.advance(*duration);
                (PollOutcome::Idle, true)
            }
            ScriptStep::Poll(count) => {
                *count -= 1;
                (PollOutcome::Idle, *count == 0)
            }
            ScriptStep::Hang(partition) => {
                self.store.handler.hanging_partitions.lock().insert(*partition);
                (PollOutcome::Idle, true)
            }
            ScriptStep::Heal => {
                self.store.handler.hanging_partitions.lock().clear();
                self.store.handler.hanging_calls.lock().clear();
                (PollOutcome::Idle, true)
            }
            ScriptStep::Deliver(partition) => {
                let before = self.metrics.records_read.get();
                Self::deliver(*partition, each)?;
                (PollOutcome::Records, self.metrics.records_read.get() > before)
            }
        };
        if is_done {
            self.steps.remove(0);
            self.step_began = None;
        } else {
            assert!(now.saturating_sub(began) < HANG_TIMEOUT, "{} steps are left", self.steps.len());
            self.store.handler.clock.sleep(Duration::from_millis(1));
        }
        Ok(outcome)
    }

    fn note_poll_timeout(&mut self, timeout: Duration) {
        self.poll_timeout = timeout;
    }

    fn note_accepted(&mut self, partitions: &[Partition]) {
        self.calls.lock().push(SourceCall::Accepted(partitions.to_vec()));
    }

    fn note_started(&mut self, partitions: &[Partition], _: &PartitionOffsets) {
        let calls = partitions.iter().map(|&partition| SourceCall::Started(vec![partition]));
        self.calls.lock().extend(calls);
    }

    fn note_released(&mut self, partitions: &[Partition]) {
        self.calls.lock().push(SourceCall::Released(partitions.to_vec()));
    }

    fn leave_group(&mut self) -> GroupDeparture {
        self.calls.lock().push(SourceCall::LeftGroup);
        GroupDeparture::Left
    }

    fn note_rejoined(&mut self) {
        self.calls.lock().push(SourceCall::RejoinedGroup);
    }
}

/// Runs a worker with these steps. Returns its calls of the source.
fn run_script(store: &Arc<HangingStore>, steps: Vec<ScriptStep>) -> Vec<SourceCall> {
    let checkpoints = CheckpointConfig {
        checkpoint_interval: HANG_TIMEOUT,
        partition_fault_policy: PartitionFaultPolicy::Halt,
        ..checkpoint_config(Arc::<HangingStore>::clone(store))
    };
    let (surroundings, calls) = (WorkerSurroundings::default(), Arc::<Mutex<_>>::default());
    let script = StepScript {
        steps,
        calls: Arc::clone(&calls),
        awaited_call_count: 0,
        store: Arc::clone(store),
        metrics: Arc::clone(&surroundings.metrics),
        stop: surroundings.stop.clone(),
        step_began: None,
        worker_clock: surroundings.clock.clone(),
        poll_timeout: Duration::ZERO,
    };
    let outcome = surroundings.run_counting_job(script, checkpoints).expect("no halt");
    assert_eq!(outcome, WorkerOutcome::Stopped);
    calls.lock().clone()
}

/// The group waits for the answers of all its members, so a store that hangs must not delay them.
#[test]
fn assignments_and_revocations_are_answered_while_the_store_hangs() {
    let store = store_with_hanging_partitions(&[0, 1]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Accepted(vec![0, 1])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::Return(PollOutcome::Lost(vec![1])),
            ScriptStep::Await(SourceCall::Released(vec![1])),
            ScriptStep::Heal,
            ScriptStep::AwaitHangingCalls(0),
        ],
    );
    let started = calls.iter().filter(|call| matches!(call, SourceCall::Started(_))).count();
    assert_eq!(started, 0, "{calls:?}");
    assert_eq!(
        [store.list_names("partition-0/epoch/"), store.list_names("partition-1/epoch/")],
        [vec![], vec![]] as [Vec<String>; 2]
    );
}

/// Another member may own lost partitions already. A worker that waits for the last checkpoint of another partition must
/// not go on to claim them.
#[test]
fn lost_partitions_are_dropped_during_a_release() {
    let store = store_with_hanging_partitions(&[1]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
            ScriptStep::Hang(0),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Return(PollOutcome::Lost(vec![1])),
            ScriptStep::Await(SourceCall::Released(vec![1])),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Released(vec![0])),
        ],
    );
    assert!(!calls.contains(&SourceCall::Started(vec![1])), "{calls:?}");
    assert_eq!(store.list_names("partition-1/epoch/"), Vec::<String>::new());
}

#[test]
fn a_partition_that_cannot_be_opened_delays_no_other() {
    let store = store_with_hanging_partitions(&[0]);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Started(vec![1])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Deliver(1),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
}

/// A store can hang for hours.
#[test]
fn an_opening_that_hangs_is_looked_at_less_often() {
    let store = store_with_hanging_partitions(&[0]);
    let ms = Duration::from_millis;
    run_script(
        &store,
        vec![
            ScriptStep::ExpectPollTimeout(ms(50)),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::ExpectPollTimeout(ms(5)),
            ScriptStep::Advance(ms(500)),
            ScriptStep::ExpectPollTimeout(ms(25)),
            ScriptStep::Advance(Duration::from_secs(3_600)),
            ScriptStep::ExpectPollTimeout(ms(50)),
            ScriptStep::Heal,
            ScriptStep::AwaitHangingCalls(0),
        ],
    );
}

/// The object of the claim is gone, because the owner of a larger epoch has deleted it: the worker was suspended in the middle
/// of its claim. That is no proof that the store lets two workers create the same object.
#[test]
fn a_claim_that_was_overtaken_meanwhile_is_repeated() {
    let store = store_with_hanging_partitions(&[]);
    *store.handler.lists_until_overtaken.lock() = 2;
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
    let epochs = store.list_names("partition-0/epoch/");
    assert_eq!(epochs.last().map(String::as_str), Some("partition-0/epoch/0000000006"), "{epochs:?}");
}

/// The call of the first opening returns after the partition was assigned a second time. The first opening must then do
/// nothing more: the partition could belong to another worker.
#[test]
fn an_opening_that_the_group_has_revoked_claims_nothing() {
    let store = store_with_hanging_partitions(&[0]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
    let started = calls.iter().filter(|call| matches!(call, SourceCall::Started(_))).count();
    assert_eq!(started, 1, "{calls:?}");
    assert_eq!(store.list_names("partition-0/epoch/"), ["partition-0/epoch/0000000001"]);
}

/// Another instance may reach the store, so the group must be able to assign the partitions to it.
#[test]
fn a_worker_that_can_open_no_partition_leaves_the_group_until_its_store_answers() {
    let store = store_with_hanging_partitions(&[0, 1]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::AwaitHangingCalls(2),
            ScriptStep::Advance(Duration::from_secs(9)),
            ScriptStep::Poll(5),
            ScriptStep::Return(PollOutcome::Revoked(vec![1])),
            ScriptStep::Await(SourceCall::Released(vec![1])),
            ScriptStep::Advance(Duration::from_secs(2)),
            ScriptStep::Await(SourceCall::LeftGroup),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Await(SourceCall::Released(vec![0])),
            ScriptStep::AwaitHangingCalls(3),
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Poll(5),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::RejoinedGroup),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::Await(SourceCall::Started(vec![0])),
            ScriptStep::Deliver(0),
        ],
    );
    let released = |partition| SourceCall::Released(vec![partition]);
    let calls: Vec<_> = calls.into_iter().filter(|call| !matches!(call, SourceCall::Accepted(_))).collect();
    let (left, rejoined) = (SourceCall::LeftGroup, SourceCall::RejoinedGroup);
    assert_eq!(calls, [released(1), left, released(0), rejoined, SourceCall::Started(vec![0])]);
}

/// A store that answers lists, but not what an opening also needs, must not bring the worker back into the group.
#[test]
fn a_worker_stays_outside_of_the_group_until_its_store_answers_each_kind_of_call() {
    for hanging_call in [StoreCall::List, StoreCall::Create, StoreCall::Read] {
        let store = store_with_hanging_partitions(&[]);
        run_script(
            &store,
            vec![
                ScriptStep::Return(PollOutcome::Assigned(vec![0])),
                ScriptStep::Await(SourceCall::Started(vec![0])),
                ScriptStep::Deliver(0),
            ],
        );
        store.handler.hanging_calls.lock().insert(hanging_call);
        let calls = run_script(
            &store,
            vec![
                ScriptStep::Return(PollOutcome::Assigned(vec![0])),
                ScriptStep::AwaitHangingCalls(1),
                // A read of state may take 20 s longer.
                ScriptStep::Advance(Duration::from_secs(31)),
                ScriptStep::Await(SourceCall::LeftGroup),
                ScriptStep::Return(PollOutcome::Revoked(vec![0])),
                ScriptStep::Await(SourceCall::Released(vec![0])),
                ScriptStep::AwaitHangingCalls(2),
                ScriptStep::Advance(Duration::from_secs(60)),
                ScriptStep::Poll(50),
                ScriptStep::Heal,
                ScriptStep::AwaitHangingCalls(0),
                ScriptStep::Await(SourceCall::RejoinedGroup),
                ScriptStep::Return(PollOutcome::Assigned(vec![0])),
                ScriptStep::Await(SourceCall::Started(vec![0])),
                ScriptStep::Deliver(0),
            ],
        );
        let rejoined = calls.iter().filter(|call| **call == SourceCall::RejoinedGroup).count();
        assert_eq!(rejoined, 1, "{hanging_call:?}: {calls:?}");
        assert_probe_is_deleted(&store);
    }
}

/// The claim at the fence also calls the store: without a checkpoint, it reads the note about a fence that has refused the
/// partition. A worker that waits for this answer does not wait for the row store.
#[test]
fn a_worker_leaves_its_group_if_the_store_hangs_during_the_claim_at_the_fence() {
    let store = store_with_hanging_partitions(&[]);
    store.handler.hanging_calls.lock().insert(StoreCall::Read);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Advance(Duration::from_secs(11)),
            ScriptStep::Await(SourceCall::LeftGroup),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Heal,
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Await(SourceCall::RejoinedGroup),
        ],
    );
}

/// A store that refuses the probe has answered. The opening that follows reports the fault.
#[test]
fn a_store_that_refuses_the_probe_answers_it() {
    let store = store_with_hanging_partitions(&[0]);
    store.handler.refuses_probe.store(true, Ordering::Release);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Advance(Duration::from_secs(11)),
            ScriptStep::Await(SourceCall::LeftGroup),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::Heal,
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Await(SourceCall::RejoinedGroup),
        ],
    );
}

/// A worker that leaves again without having opened a partition stays outside twice as long each time.
#[test]
fn the_time_outside_of_the_group_grows_until_a_partition_is_open() {
    let store = store_with_hanging_partitions(&[]);
    let leave_and_rejoin_after = |absence_s: u64| {
        vec![
            ScriptStep::Hang(0),
            ScriptStep::Return(PollOutcome::Assigned(vec![0])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Advance(Duration::from_secs(11)),
            ScriptStep::AwaitNext(SourceCall::LeftGroup),
            ScriptStep::Return(PollOutcome::Revoked(vec![0])),
            ScriptStep::AwaitNext(SourceCall::Released(vec![0])),
            ScriptStep::Heal,
            ScriptStep::AwaitHangingCalls(0),
            ScriptStep::Advance(Duration::from_secs(absence_s) - Duration::from_millis(100)),
            ScriptStep::Poll(50),
            ScriptStep::ExpectNoCall,
            ScriptStep::Advance(Duration::from_millis(200)),
            ScriptStep::AwaitNext(SourceCall::RejoinedGroup),
        ]
    };
    let open = vec![
        ScriptStep::Return(PollOutcome::Assigned(vec![0])),
        ScriptStep::Await(SourceCall::Started(vec![0])),
        ScriptStep::Deliver(0),
        ScriptStep::Return(PollOutcome::Revoked(vec![0])),
        ScriptStep::AwaitNext(SourceCall::Released(vec![0])),
    ];
    let steps =
        [1, 2, 4].map(leave_and_rejoin_after).into_iter().flatten().chain(open).chain(leave_and_rejoin_after(1));
    run_script(&store, steps.collect());
}

/// The store may be unreachable for all instances. Partitions that are open must then be processed further.
#[test]
fn a_worker_with_an_open_partition_stays_in_the_group() {
    let store = store_with_hanging_partitions(&[0]);
    let calls = run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![0, 1])),
            ScriptStep::Await(SourceCall::Started(vec![1])),
            ScriptStep::AwaitHangingCalls(1),
            ScriptStep::Advance(Duration::from_secs(60)),
            ScriptStep::Poll(5),
            ScriptStep::Deliver(1),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![0])),
        ],
    );
    assert!(!calls.contains(&SourceCall::LeftGroup), "{calls:?}");
}

/// Openings whose calls hang must not take all threads from partitions that could be opened.
#[test]
fn eight_openings_that_hang_delay_a_ninth_for_seconds_only() {
    let hanging: Vec<Partition> = (0..8).collect();
    let store = store_with_hanging_partitions(&hanging);
    run_script(
        &store,
        vec![
            ScriptStep::Return(PollOutcome::Assigned(vec![9])),
            ScriptStep::Await(SourceCall::Started(vec![9])),
            ScriptStep::Return(PollOutcome::Assigned((0..9).collect())),
            ScriptStep::AwaitHangingCalls(8),
            ScriptStep::Advance(Duration::from_secs(6)),
            ScriptStep::Await(SourceCall::Started(vec![8])),
            ScriptStep::Deliver(8),
            ScriptStep::Heal,
            ScriptStep::Await(SourceCall::Started(vec![7])),
        ],
    );
}

//! What all parts of a simulation share: virtual time, chance and the trace.
//!
//! Invariant: no lock of the simulation is held while a coroutine gives up control.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::{Clock, NotificationCount, ThreadBody, ThreadSpawner, Wakeup};

use crate::coroutine::{CoroutinePark, park_current_coroutine};
use crate::random::SeededRandom;
use crate::trace::{TraceMode, TraceRecorder};

/// The wall-clock time at which every simulation begins, in epoch milliseconds.
const WALL_START_MS: i64 = 1_700_000_000_000;

/// The number of an instance: a process that starts again after its end.
pub(crate) type InstanceIndex = usize;

/// One of the processes that an instance is, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct InstanceProcess {
    pub(crate) instance: InstanceIndex,
    /// How often the instance has been started.
    pub(crate) start_count: u64,
}

impl InstanceProcess {
    /// Returns the name that the process writes into its manifests.
    pub(crate) fn name(self) -> String {
        format!("instance {}, start {}", self.instance, self.start_count)
    }
}

/// A thread that an instance has started, and that the scheduler must add.
pub(crate) struct SpawnedThread {
    pub(crate) instance: InstanceIndex,
    pub(crate) name: &'static str,
    pub(crate) body: ThreadBody,
}

/// Virtual time, chance, the trace, and the threads that wait for their start.
pub(crate) struct SimulationCore {
    now_ns: AtomicU64,
    random: Mutex<SeededRandom>,
    pub(crate) trace: Mutex<TraceRecorder>,
    spawned_threads: Mutex<Vec<SpawnedThread>>,
    first_violation: Mutex<Option<String>>,
}

impl fmt::Debug for SimulationCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulationCore").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl SimulationCore {
    pub(crate) fn new(seed: u64, trace_mode: TraceMode) -> Arc<Self> {
        Arc::new(Self {
            now_ns: AtomicU64::new(0),
            random: Mutex::new(SeededRandom::new(seed)),
            trace: Mutex::new(TraceRecorder::new(trace_mode)),
            spawned_threads: Mutex::default(),
            first_violation: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns.load(Ordering::Relaxed))
    }

    /// Returns the wall-clock time at the virtual time `now`, in epoch milliseconds.
    pub(crate) fn wall_ms_at(now: Duration) -> i64 {
        WALL_START_MS + i64::try_from(now.as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// Advances the virtual time to `now`. Time never goes back.
    pub(crate) fn advance_to(&self, now: Duration) {
        self.now_ns.fetch_max(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Calls `choose` with the random numbers of this simulation.
    pub(crate) fn choose_at_random<T>(&self, choose: impl FnOnce(&mut SeededRandom) -> T) -> T {
        choose(&mut self.random.lock())
    }

    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        self.choose_at_random(|random| random.happens(per_mille))
    }

    pub(crate) fn duration_between_ms(&self, shortest_ms: u64, longest_ms: u64) -> Duration {
        let (shortest, longest) = (Duration::from_millis(shortest_ms), Duration::from_millis(longest_ms));
        self.choose_at_random(|random| random.duration_between(shortest, longest))
    }

    /// Adds a line to the trace. `describe` is called only if the trace is recorded.
    pub(crate) fn record(&self, describe: impl FnOnce() -> String) {
        let mut trace = self.trace.lock();
        if trace.is_recording() {
            trace.add_line(self.now(), &describe());
        }
    }

    /// Records that a promise was broken. The first violation ends the simulation.
    pub(crate) fn report_violation(&self, description: String) {
        self.record(|| format!("VIOLATION: {description}"));
        self.first_violation.lock().get_or_insert(description);
    }

    pub(crate) fn first_violation(&self) -> Option<String> {
        self.first_violation.lock().clone()
    }

    pub(crate) fn take_spawned_threads(&self) -> Vec<SpawnedThread> {
        std::mem::take(&mut *self.spawned_threads.lock())
    }

    /// Gives up control for `duration` of virtual time. Only a coroutine may call this function.
    pub(crate) fn pause(&self, duration: Duration) {
        park_current_coroutine(CoroutinePark { until: Some(self.now() + duration), wakeup: None });
    }

    /// Gives up control until `wakeup` has more notifications than `seen`, at most for `timeout`.
    pub(crate) fn wait(&self, wakeup: &Arc<Wakeup>, seen: NotificationCount, timeout: Duration) {
        park_current_coroutine(CoroutinePark {
            until: self.now().checked_add(timeout),
            wakeup: Some((Arc::clone(wakeup), seen)),
        });
    }
}

/// The clock of all instances of a simulation.
#[derive(Clone, Debug)]
pub(crate) struct VirtualClock(pub(crate) Arc<SimulationCore>);

impl Clock for VirtualClock {
    fn monotonic_now(&self) -> Duration {
        self.0.now()
    }

    fn wall_now_ms(&self) -> i64 {
        SimulationCore::wall_ms_at(self.0.now())
    }

    fn sleep(&self, duration: Duration) {
        self.0.pause(duration);
    }

    fn wait_for_notification(&self, wakeup: &Arc<Wakeup>, seen: NotificationCount, timeout: Duration) {
        self.0.wait(wakeup, seen, timeout);
    }
}

/// Turns the threads of one instance into coroutines.
pub(crate) struct CoroutineSpawner {
    pub(crate) core: Arc<SimulationCore>,
    pub(crate) instance: InstanceIndex,
}

impl ThreadSpawner for CoroutineSpawner {
    fn spawn_thread(&self, name: &'static str, body: ThreadBody) -> io::Result<()> {
        self.core.spawned_threads.lock().push(SpawnedThread { instance: self.instance, name, body });
        Ok(())
    }
}

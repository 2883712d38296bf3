//! Runs the coroutines of all instances, one at a time, and advances virtual time.
//!
//! Owns: which coroutine runs next (chance decides among those that can), the starts and ends of processes, and the
//! moments at which planned faults happen. Does not own: what the coroutines do.
//! Invariant: time advances only when no coroutine can run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::StopSignal;

use crate::coroutine::{Coroutine, CoroutinePark, CoroutineStop};
use crate::faults::{FaultAction, LogGrowth, PlannedFault};
use crate::instance::run_instance;
use crate::producer::RecordProducer;
use crate::savepoint::run_savepoint;
use crate::services::SimulatedServices;
use crate::simulation_core::{InstanceIndex, InstanceProcess, SpawnedThread};

/// The name of a process's main thread.
const MAIN_THREAD: &str = "worker";
/// The name of the thread that takes a savepoint.
const SAVEPOINT_THREAD: &str = "savepoint";
/// The time between two heartbeats of a member.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// More steps than this without any progress of time are a loop that waits for nothing.
const MAX_STEPS_PER_MOMENT: u64 = 200_000;

struct ScheduledCoroutine {
    instance: InstanceIndex,
    name: &'static str,
    coroutine: Coroutine,
    park: CoroutinePark,
}

/// The scheduler of one simulation.
pub(crate) struct Scheduler {
    services: Arc<SimulatedServices>,
    coroutines: Vec<ScheduledCoroutine>,
    planned_faults: VecDeque<PlannedFault>,
    producer: RecordProducer,
    next_heartbeat: Duration,
    /// The coroutines that can run now, as memory to reuse.
    runnable: Vec<usize>,
    steps_in_moment: u64,
}

impl Scheduler {
    pub(crate) fn new(
        services: Arc<SimulatedServices>,
        planned_faults: Vec<PlannedFault>,
        producer: RecordProducer,
    ) -> Self {
        Self {
            services,
            coroutines: Vec::new(),
            planned_faults: planned_faults.into(),
            producer,
            next_heartbeat: Duration::ZERO,
            runnable: Vec::new(),
            steps_in_moment: 0,
        }
    }

    /// Runs until `is_done` returns true, a violation is found, or virtual time reaches `deadline`. Returns whether
    /// `is_done` has returned true. Asks it only when time advances.
    pub(crate) fn run_until(
        &mut self,
        deadline: Duration,
        mut is_done: impl FnMut(&SimulatedServices) -> bool,
    ) -> bool {
        self.apply_due_events();
        while self.services.core.first_violation().is_none() {
            self.start_spawned_threads();
            if let Some(index) = self.choose_runnable_coroutine() {
                self.run_coroutine(index);
                continue;
            }
            if is_done(&self.services) {
                return true;
            }
            if self.services.core.now() >= deadline {
                return false;
            }
            let next = self.next_event_at().unwrap_or(deadline).min(deadline);
            self.services.core.advance_to(next);
            self.services.faults.set_time(next);
            self.steps_in_moment = 0;
            self.apply_due_events();
        }
        false
    }

    /// Applies what happens by itself at the present time. Coroutines cause events only for later times.
    fn apply_due_events(&mut self) {
        let now = self.services.core.now();
        self.set_current_thread("-");
        while self.planned_faults.front().is_some_and(|fault| fault.at <= now)
            && let Some(fault) = self.planned_faults.pop_front()
        {
            self.apply_fault(&fault.action);
        }
        if self.next_heartbeat <= now {
            self.next_heartbeat = now + HEARTBEAT_INTERVAL;
            let services = &self.services;
            let is_running = |process: InstanceProcess| {
                services.current_process(process.instance) == process
                    && self.coroutines.iter().any(|one| one.instance == process.instance)
            };
            services
                .group
                .receive_heartbeats(|process| is_running(process) && services.faults.reaches_group(process.instance));
            services.instances.iter().for_each(|instance| instance.lock().wakeup.notify());
        }
        if self.services.topic.change().is_none() {
            self.producer.produce_due_records(&self.services);
        }
        self.services.apply_delayed_store_writes();
        self.services.redis.execute_arrived_commands(&self.services.redis_surroundings());
    }

    fn start_spawned_threads(&mut self) {
        for SpawnedThread { instance, name, body } in self.services.core.take_spawned_threads() {
            let park = CoroutinePark { until: Some(self.services.core.now()), wakeup: None };
            self.coroutines.push(ScheduledCoroutine { instance, name, coroutine: Coroutine::new(body), park });
        }
    }

    /// Ends the threads of the processes that have ended by themselves.
    fn remove_ended_instances(&mut self) {
        let is_ended = |one: &ScheduledCoroutine| self.services.instances[one.instance].lock().ending.is_some();
        while let Some(index) = self.coroutines.iter().position(is_ended) {
            self.coroutines.remove(index).coroutine.kill();
        }
    }

    fn next_event_at(&self) -> Option<Duration> {
        let coroutines = self.coroutines.iter().filter_map(|one| {
            let suspended_until = self.services.faults.suspended_until(one.instance);
            match (one.park.until, suspended_until) {
                (until, None) => until,
                (None, Some(suspended)) => Some(suspended),
                (Some(until), Some(suspended)) => Some(until.max(suspended)),
            }
        });
        let services = [
            self.planned_faults.front().map(|fault| fault.at),
            self.producer.next_record_at().filter(|_| self.services.topic.change().is_none()),
            self.services.objects.next_delayed_write_at(),
            self.services.redis.next_event_at(&self.services.faults),
            Some(self.next_heartbeat),
        ];
        coroutines.chain(services.into_iter().flatten()).min()
    }

    fn choose_runnable_coroutine(&mut self) -> Option<usize> {
        let now = self.services.core.now();
        let is_runnable = |one: &ScheduledCoroutine| {
            one.park.is_over(now) && self.services.faults.suspended_until(one.instance).is_none()
        };
        self.runnable.clear();
        self.runnable.extend((0..self.coroutines.len()).filter(|&index| is_runnable(&self.coroutines[index])));
        if self.runnable.is_empty() {
            return None;
        }
        Some(self.runnable[self.services.core.choose_at_random(|random| random.index_below(self.runnable.len()))])
    }

    fn run_coroutine(&mut self, index: usize) {
        self.steps_in_moment += 1;
        if self.steps_in_moment > MAX_STEPS_PER_MOMENT {
            self.services.core.report_violation(format!("{} runs without end", self.coroutines[index].name));
        }
        let (instance, name) = (self.coroutines[index].instance, self.coroutines[index].name);
        self.set_current_thread(&format!("{instance}/{name}"));
        match self.coroutines[index].coroutine.resume() {
            CoroutineStop::Parked(park) => {
                self.coroutines[index].park = park;
                self.apply_triggered_faults();
            }
            CoroutineStop::Ended => {
                drop(self.coroutines.remove(index));
                self.remove_ended_instances();
            }
            CoroutineStop::Panicked(message) => {
                drop(self.coroutines.remove(index));
                self.services.core.report_violation(format!("{instance}/{name} panicked: {message}"));
            }
        }
    }

    fn apply_triggered_faults(&mut self) {
        for fault in self.services.take_triggered_faults() {
            self.apply_fault(&fault);
        }
    }

    fn set_current_thread(&self, name: &str) {
        let mut trace = self.services.core.trace.lock();
        if trace.is_recording() {
            name.clone_into(&mut trace.current_thread);
        }
    }

    fn apply_fault(&mut self, action: &FaultAction) {
        self.services.core.record(|| format!("FAULT {action:?}"));
        match *action {
            FaultAction::KillInstance(instance) => self.kill_instance(instance),
            FaultAction::StopInstance(instance) => self.services.instances[instance].lock().stop_signal.request(),
            FaultAction::StartInstance(instance) => self.start_instance(instance),
            FaultAction::BreakRedisConnections => self.services.redis.close_connections(),
            FaultAction::EmptyRedis => self.services.redis.lose_all_keys(&self.services.redis_surroundings()),
            FaultAction::DamageNewestCheckpoint => self.services.damage_newest_checkpoint(),
            FaultAction::DamageAllCheckpoints => self.services.damage_all_checkpoints(),
            FaultAction::ChangeTopic(change) => self.services.change_topic(change),
            FaultAction::ChangePipeline => self.services.change_pipeline(),
            FaultAction::OccupyRowKey => self.services.occupy_row_key(),
            FaultAction::ElectLeader { lost_records, new_records } => {
                if self.services.topic.change().is_some() {
                    return;
                }
                let partition = self.services.elect_leader(lost_records);
                if new_records == LogGrowth::BeyondLostRecords {
                    (0..=lost_records).for_each(|_| self.producer.produce_record_to(&self.services, partition));
                }
            }
            FaultAction::RestartRedis => self.services.redis.restart(&self.services.redis_surroundings()),
            FaultAction::RefuseWrites(_) => {
                self.services.redis.unblock_waits();
                self.services.faults.begin(action);
            }
            FaultAction::TakeSavepoint(instance, timeout) => self.start_savepoint(instance, timeout),
            FaultAction::FailOverRedis(lag) => self.services.redis.fail_over(&self.services.redis_surroundings(), lag),
            _ => self.services.faults.begin(action),
        }
    }

    /// Ends a process at once: its coroutines run their destructors, and nothing else.
    fn kill_instance(&mut self, instance: InstanceIndex) {
        self.services.oracle.lock().counts.kills += 1;
        drop(self.services.core.take_spawned_threads());
        while let Some(index) = self.coroutines.iter().position(|one| one.instance == instance) {
            self.coroutines.remove(index).coroutine.kill();
        }
    }

    /// Lets a process take a savepoint, if it runs.
    pub(crate) fn start_savepoint(&mut self, instance: InstanceIndex, timeout: Duration) {
        if self.coroutines.iter().any(|one| one.instance == instance) {
            let services = Arc::clone(&self.services);
            let body = Box::new(move || run_savepoint(&services, instance, timeout));
            let park = CoroutinePark { until: Some(self.services.core.now()), wakeup: None };
            let coroutine = Coroutine::new(body);
            self.coroutines.push(ScheduledCoroutine { instance, name: SAVEPOINT_THREAD, coroutine, park });
        }
    }

    /// Starts a process, unless it runs.
    pub(crate) fn start_instance(&mut self, instance: InstanceIndex) {
        if self.coroutines.iter().any(|one| one.instance == instance) {
            return;
        }
        {
            let mut state = self.services.instances[instance].lock();
            state.stop_signal = StopSignal::default();
            state.start_count += 1;
            state.ending = None;
        }
        let services = Arc::clone(&self.services);
        let body = Box::new(move || run_instance(&services, instance));
        let park = CoroutinePark { until: Some(self.services.core.now()), wakeup: None };
        let coroutine = Coroutine::new(body);
        self.coroutines.push(ScheduledCoroutine { instance, name: MAIN_THREAD, coroutine, park });
    }

    /// Kills all coroutines.
    pub(crate) fn end(self) {
        self.coroutines.into_iter().for_each(|one| one.coroutine.kill());
    }
}

//! One simulation from its seed to its verdict.
//!
//! First faults happen. Then they end, all instances run, and everything must come to rest: every partition has an
//! owner, Redis has all rows, and checkpoints cover the topic. At last all instances stop. If a savepoint was completed, a
//! new job then begins with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Dispatch;
use windrow_engine::Partition;

use crate::faults::{FaultBounds, plan_faults};
use crate::oracle::SimulationCounts;
use crate::producer::RecordProducer;
use crate::redis_copies::RequiredCopies;
use crate::scenario::{EndOfRecords, SavepointUse, SimulationScenario};
use crate::scheduler::Scheduler;
use crate::services::{HaltKind, InstanceEnding, SavedState, SimulatedServices};
use crate::simulation_core::SimulationCore;
use crate::trace::TraceMode;
use crate::trace_subscriber::TraceSubscriber;

/// The time after the end of all faults within which everything must have come to rest.
const REST_TIMEOUT: Duration = Duration::from_secs(180);
/// The time for which producers go on after the end of all faults.
const PRODUCING_AFTER_FAULTS: Duration = Duration::from_secs(2);
/// The time between two checks whether everything has come to rest.
const REST_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// The time after which no request to the store hangs any more.
const LONGEST_HANG: Duration = Duration::from_secs(30);
/// The time within which all instances must have halted after a change of the topic.
const HALT_TIMEOUT: Duration = Duration::from_secs(120);
/// The time within which all instances must have stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);

/// The attempts to take a savepoint after the end of all faults, the time of each, and the pause after it.
const LAST_SAVEPOINT_ATTEMPTS: usize = 4;
const LAST_SAVEPOINT_TIMEOUT: Duration = Duration::from_secs(20);
const LAST_SAVEPOINT_PAUSE: Duration = Duration::from_secs(10);

/// The verdict about one seed.
#[derive(Clone, Debug)]
pub struct SimulationReport {
    /// The seed.
    pub seed: u64,
    /// The first promise that was broken; `None` if all were kept.
    pub violation: Option<String>,
    /// What happened, if the trace was recorded.
    pub trace: String,
    /// How much happened.
    pub counts: SimulationCounts,
    /// The virtual time that passed.
    pub simulated: Duration,
}

/// Runs the simulation of `seed`. The same seed always gives the same report.
///
/// # Errors
/// When the pipeline of the simulation has a mistake. The text names it.
pub fn simulate_seed(seed: u64, trace_mode: TraceMode) -> Result<SimulationReport, String> {
    fastrand::seed(seed);
    let core = SimulationCore::new(seed, trace_mode);
    let dispatch = match trace_mode {
        TraceMode::Off => Dispatch::none(),
        TraceMode::Recorded => Dispatch::new(TraceSubscriber(Arc::clone(&core))),
    };
    let counts = tracing::dispatcher::with_default(&dispatch, || run_phases(seed, &core))?;
    let trace = core.trace.lock().take_text();
    Ok(SimulationReport { seed, violation: core.first_violation(), trace, counts, simulated: core.now() })
}

fn run_phases(seed: u64, core: &Arc<SimulationCore>) -> Result<SimulationCounts, String> {
    let instance_count = 1 + core.choose_at_random(|random| random.index_below(3));
    let partition_count = 1 + core.choose_at_random(|random| Partition::try_from(random.number_below(4)).unwrap_or(0));
    let heals_at = core.duration_between_ms(6_000, 30_000);
    let mut scenario = SimulationScenario::choose(seed);
    let services = SimulatedServices::new(Arc::clone(core), scenario.clone(), partition_count, instance_count)?;
    let bounds = FaultBounds { instance_count, heals_at };
    let plan = scenario.complete_plan(core.choose_at_random(|random| plan_faults(random, bounds)), bounds);
    core.record(|| {
        let interval = services.checkpoint_interval;
        format!(
            "{instance_count} instances, {partition_count} partitions, checkpoints every {interval:?}, {:?}, {:?}",
            services.faults, services.scenario
        )
    });
    plan.iter().for_each(|fault| core.record(|| format!("planned at {:?}: {:?}", fault.at, fault.action)));
    let producer = RecordProducer::ending_at(match services.scenario.end_of_records {
        EndOfRecords::AfterFaults => heals_at + PRODUCING_AFTER_FAULTS,
        EndOfRecords::AmidFaults => heals_at / 2,
    });
    let mut scheduler = Scheduler::new(Arc::clone(&services), plan, producer);
    (0..instance_count).for_each(|instance| scheduler.start_instance(instance));
    run_until_healed(&mut scheduler, &services, heals_at);
    if services.topic.change().is_some() {
        run_until_halted(&mut scheduler, &services);
    } else {
        run_until_rest(&mut scheduler, &services, heals_at);
        take_last_savepoint(&mut scheduler, &services);
        stop_and_compare(&mut scheduler, &services);
        restore_savepoint(&mut scheduler, &services);
    }
    scheduler.end();
    let counts = services.oracle.lock().counts;
    Ok(counts)
}

/// Stops all instances, and compares the rows. Copies of acknowledged rows must then be enough for them.
fn stop_and_compare(scheduler: &mut Scheduler, services: &SimulatedServices) {
    stop_all_instances(scheduler, services);
    let surroundings = services.redis_surroundings();
    match services.scenario.required_copies {
        RequiredCopies::None => {}
        RequiredCopies::Replica | RequiredCopies::Both => services.redis.fail_over(&surroundings, 0),
        RequiredCopies::Disk => services.redis.restart(&surroundings),
    }
    if services.core.first_violation().is_none() {
        let differences = services.redis.examine_keys(|keys| services.oracle.lock().describe_differences(keys));
        differences.into_iter().for_each(|difference| services.core.report_violation(difference));
    }
}

/// Takes a savepoint while nothing goes wrong: one of a few attempts must succeed.
fn take_last_savepoint(scheduler: &mut Scheduler, services: &SimulatedServices) {
    if services.scenario.savepoint_use == SavepointUse::Never {
        return;
    }
    for _ in 0..LAST_SAVEPOINT_ATTEMPTS {
        // An instance that is about to stop starts again after its end, and takes no savepoint.
        (0..services.instances.len()).for_each(|instance| scheduler.start_instance(instance));
        let stays = |instance: &usize| !services.instances[*instance].lock().stop_signal.is_requested();
        let taker = (0..services.instances.len()).find(stays);
        let (completed_before, ended_before) = services.savepoints.completed_and_ended_count();
        taker.into_iter().for_each(|instance| scheduler.start_savepoint(instance, LAST_SAVEPOINT_TIMEOUT));
        let deadline = services.core.now() + 2 * LAST_SAVEPOINT_TIMEOUT;
        let has_ended = |services: &SimulatedServices| services.savepoints.completed_and_ended_count().1 > ended_before;
        scheduler.run_until(deadline, has_ended);
        if services.savepoints.completed_and_ended_count().0 > completed_before
            || services.core.first_violation().is_some()
        {
            return;
        }
        // An earlier request may not have expired.
        let next_attempt = services.core.now() + LAST_SAVEPOINT_PAUSE;
        scheduler.run_until(next_attempt, |_| false);
    }
    services.core.report_violation("no savepoint can be taken after the end of all faults".to_owned());
}

/// Begins a new job with a completed savepoint, and lets it come to rest. Its rows must be those of the shards from the
/// savepoint on.
fn restore_savepoint(scheduler: &mut Scheduler, services: &SimulatedServices) {
    if services.core.first_violation().is_some() {
        return;
    }
    let Some(savepoint) = services.find_restorable_savepoint() else { return };
    services.begin_anew_with_savepoint(&savepoint);
    run_until_rest(scheduler, services, services.core.now());
    stop_and_compare(scheduler, services);
}

fn run_until_healed(scheduler: &mut Scheduler, services: &SimulatedServices, heals_at: Duration) {
    scheduler.run_until(heals_at, |services| {
        report_halts_and_parked_partitions(services);
        false
    });
    services.core.record(|| "all faults end".to_owned());
    services.faults.heal();
    services.repair_damaged_objects();
}

/// Reports every process that has halted, and every partition that was parked without a fault of its own.
fn report_halts_and_parked_partitions(services: &SimulatedServices) {
    for (instance, state) in services.instances.iter().enumerate() {
        if let Some(InstanceEnding::Halted { kind: HaltKind::Unexplained, reason }) = &state.lock().ending {
            services.core.report_violation(format!("instance {instance} halted: {reason}"));
        }
    }
    services.verify_parked_partitions();
}

/// Runs until the topic's change has ended every process. A process that starts afterwards halts too, because of the
/// checkpoints.
fn run_until_halted(scheduler: &mut Scheduler, services: &SimulatedServices) {
    (0..services.instances.len()).for_each(|instance| scheduler.start_instance(instance));
    let deadline = services.core.now() + HALT_TIMEOUT;
    let has_ended =
        |services: &SimulatedServices| services.instances.iter().all(|instance| instance.lock().ending.is_some());
    scheduler.run_until(deadline, |services| {
        report_halts_and_parked_partitions(services);
        has_ended(services)
    });
    report_halts_and_parked_partitions(services);
    if services.topic.had_checkpoints_at_change.load(Ordering::Relaxed)
        && !has_ended(services)
        && services.core.first_violation().is_none()
    {
        services.core.report_violation("the topic has changed, and a process still runs".to_owned());
    }
}

fn run_until_rest(scheduler: &mut Scheduler, services: &SimulatedServices, heals_at: Duration) {
    let (producer_ends_at, deadline) = (heals_at + PRODUCING_AFTER_FAULTS, heals_at + REST_TIMEOUT);
    while services.core.first_violation().is_none() {
        // An instance that was about to stop starts again after its end.
        (0..services.instances.len()).for_each(|instance| scheduler.start_instance(instance));
        let next_check = services.core.now() + REST_CHECK_INTERVAL;
        scheduler.run_until(next_check, |services| {
            report_halts_and_parked_partitions(services);
            false
        });
        if services.core.now() < producer_ends_at {
            continue;
        }
        match describe_unrest(services, heals_at) {
            None => return,
            Some(unrest) if services.core.now() >= deadline => {
                services.core.report_violation(format!("no rest after the end of all faults: {unrest}"));
            }
            Some(_) => {}
        }
    }
}

/// Returns what has not come to rest; `None` if everything has.
fn describe_unrest(services: &SimulatedServices, heals_at: Duration) -> Option<String> {
    let unsettled = services.group.unsettled_partitions();
    if !unsettled.is_empty() {
        return Some(format!("partitions without a settled owner: {unsettled:?}"));
    }
    for partition in 0..services.partition_count {
        let owners = services.list_owning_instances(partition);
        if owners.len() != 1 {
            return Some(format!("partition {partition} is owned by the workers of the instances {owners:?}"));
        }
        let (end, covered) = (
            services.topic.end_offset(partition),
            services.read_newest_manifest(partition).map(|manifest| manifest.offset),
        );
        // No checkpoint of an empty partition shows that the checkpoint thread answers again.
        if end == 0 && services.core.now() < heals_at + LONGEST_HANG {
            return Some(format!("a request for the empty partition {partition} may still hang"));
        }
        if end > 0 && covered != Some(end) {
            return Some(format!("partition {partition} ends at {end}, its newest checkpoint is at {covered:?}"));
        }
        if end > 0 && services.group.committed_offset(partition) != Some(end) {
            return Some(format!("partition {partition} ends at {end}, and another offset is committed"));
        }
    }
    let differences = services.redis.examine_keys(|keys| services.oracle.lock().describe_differences(keys));
    differences.into_iter().next()
}

fn stop_all_instances(scheduler: &mut Scheduler, services: &SimulatedServices) {
    services.core.record(|| "all instances stop".to_owned());
    // A stop that began while a fault lasted need not have saved everything.
    let stopping: Vec<bool> =
        services.instances.iter().map(|instance| instance.lock().stop_signal.is_requested()).collect();
    services.instances.iter().for_each(|instance| instance.lock().stop_signal.request());
    let deadline = services.core.now() + STOP_TIMEOUT;
    scheduler
        .run_until(deadline, |services| services.instances.iter().all(|instance| instance.lock().ending.is_some()));
    for (index, instance) in services.instances.iter().enumerate() {
        match &instance.lock().ending {
            Some(InstanceEnding::Stopped { saved_everything: SavedState::Everything }) => {}
            Some(InstanceEnding::Stopped { .. }) if stopping[index] => {}
            other => services.core.report_violation(format!("instance {index} was to stop and save: {other:?}")),
        }
    }
}

//! The faults of services and instances, and when they happen.
//!
//! Owns: the plan of a seed ([`PlannedFault`]), and which faults are active now. Does not own: the effects of a fault on
//! a service (`store`, `redis_server`, `consumer_group`) or on an instance (`scheduler`).
//! After [`ActiveFaults::heal`] no fault happens any more. An operator then also repairs the damaged checkpoints.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::random::SeededRandom;
use crate::simulation_core::{InstanceIndex, SimulationCore};
use crate::topic::TopicChange;

/// How often the topic changes, in simulations of a thousand.
const TOPIC_CHANGES_PER_MILLE: u64 = 40;

/// How a request to the checkpoint store goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFaultKind {
    FailsWithoutEffect,
    /// The request takes effect, and its answer is lost.
    FailsWithEffect,
    /// The caller gets an error, and the request takes effect after the caller has gone.
    TakesEffectLater,
    Hangs(Duration),
}

/// How commands to Redis go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnectionFaultKind {
    /// The connection breaks before the commands arrive.
    BreaksBefore,
    /// The commands are executed, and their replies are lost.
    BreaksAfterwards,
    /// The commands arrive late: perhaps after their client has given up.
    ArrivesLate(Duration),
}

/// Whether producers have written to a new leader before anyone else hears of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogGrowth {
    None,
    /// More records than were lost.
    BeyondLostRecords,
}

/// A fault that happens at a planned time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FaultAction {
    /// Ends the process at once.
    KillInstance(InstanceIndex),
    /// Requests a stop, and starts the process again later.
    StopInstance(InstanceIndex),
    /// Starts the process, if it does not run.
    StartInstance(InstanceIndex),
    /// Suspends the process.
    SuspendInstance(InstanceIndex, Duration),
    /// Ends the process at once, in the middle of one of its next requests to a service.
    KillAtRequest(InstanceIndex, u64),
    /// Suspends the process in the middle of one of its next requests to a service.
    SuspendAtRequest(InstanceIndex, u64, Duration),
    /// Suspends the process just before it creates a manifest.
    SuspendBeforeManifest(InstanceIndex, Duration),
    /// The process does not reach the consumer group. It goes on reading records.
    CutFromGroup(InstanceIndex, Duration),
    /// The process does not reach the checkpoint store.
    CutFromStore(InstanceIndex, Duration),
    /// The requests of the process to the checkpoint store hang.
    HangStore(InstanceIndex, Duration),
    /// The process does not reach Redis.
    CutFromRedis(InstanceIndex, Duration),
    /// All connections to Redis break.
    BreakRedisConnections,
    /// A replica that lacks this number of transactions becomes the master.
    FailOverRedis(usize),
    /// Redis loses all its keys.
    EmptyRedis,
    /// Redis ends, and starts again with the keys that are on its disk.
    RestartRedis,
    /// The replica and the disk of Redis get no writes.
    StallCopies(Duration),
    /// Redis answers every write with an error, as a former master that has become a replica.
    RefuseWrites(Duration),
    /// The process takes a savepoint, at most for the given time.
    TakeSavepoint(InstanceIndex, Duration),
    /// Redis answers every command with an error, as while it loads its data.
    RefuseCommands(Duration),
    /// A bit of the newest checkpoint of a partition changes.
    DamageNewestCheckpoint,
    /// A bit changes in every manifest of a partition.
    DamageAllCheckpoints,
    /// The topic changes, and the job must halt.
    ChangeTopic(TopicChange),
    /// The pipeline gets another view, or loses it again. Each process has the new version from its next start on.
    ChangePipeline,
    /// The key of a row gets a value that is no row.
    OccupyRowKey,
    /// A partition gets a new leader, which lacks the newest records.
    ElectLeader { lost_records: usize, new_records: LogGrowth },
}

/// A fault and its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PlannedFault {
    pub(crate) at: Duration,
    pub(crate) action: FaultAction,
}

/// The lengths of a simulation and the kinds of faults in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultBounds {
    pub(crate) instance_count: usize,
    /// The time at which all faults end.
    pub(crate) heals_at: Duration,
}

/// Chooses the faults of one simulation, in the order of their times.
pub(crate) fn plan_faults(random: &mut SeededRandom, bounds: FaultBounds) -> Vec<PlannedFault> {
    let second = Duration::from_secs(1);
    let mut faults = Vec::new();
    let count = 3 + random.number_below(9);
    for _ in 0..count {
        let at = random.duration_between(2 * second, bounds.heals_at);
        let instance = random.index_below(bounds.instance_count);
        let (kind, requests_before) = (random.number_below(52), random.number_below(25));
        let mut lasting = |shortest, longest| random.duration_between(second * shortest, second * longest);
        let action = match kind {
            0..3 => FaultAction::KillInstance(instance),
            3..8 => FaultAction::KillAtRequest(instance, requests_before),
            8..12 => FaultAction::StopInstance(instance),
            12..14 => FaultAction::SuspendInstance(instance, lasting(1, 25)),
            14..19 => FaultAction::SuspendAtRequest(instance, requests_before, lasting(1, 25)),
            19..24 => FaultAction::CutFromGroup(instance, lasting(1, 25)),
            24..26 => FaultAction::CutFromStore(instance, lasting(1, 15)),
            26..28 => FaultAction::HangStore(instance, lasting(1, 30)),
            28..31 => FaultAction::CutFromRedis(instance, lasting(1, 15)),
            31 => FaultAction::BreakRedisConnections,
            32 => FaultAction::RefuseCommands(lasting(1, 8)),
            33 => FaultAction::EmptyRedis,
            34 => FaultAction::DamageNewestCheckpoint,
            35 => FaultAction::DamageAllCheckpoints,
            48..51 => FaultAction::ChangePipeline,
            51 => FaultAction::OccupyRowKey,
            40..42 => FaultAction::ElectLeader { lost_records: 0, new_records: LogGrowth::None },
            42..45 => {
                FaultAction::ElectLeader { lost_records: 1 + random.index_below(60), new_records: LogGrowth::None }
            }
            45..48 => FaultAction::ElectLeader {
                lost_records: 1 + random.index_below(60),
                new_records: LogGrowth::BeyondLostRecords,
            },
            _ => FaultAction::FailOverRedis(random.index_below(12)),
        };
        if matches!(
            action,
            FaultAction::KillInstance(_) | FaultAction::KillAtRequest(..) | FaultAction::StopInstance(_)
        ) {
            let restart_at = at + random.duration_between(second / 2, second * 20);
            faults.push(PlannedFault { at: restart_at, action: FaultAction::StartInstance(instance) });
        }
        if action == FaultAction::ChangePipeline {
            plan_rolling_restart(random, &mut faults, at, bounds.instance_count);
        }
        faults.push(PlannedFault { at, action });
    }
    if random.happens(TOPIC_CHANGES_PER_MILLE) {
        let at = random.duration_between(4 * second, bounds.heals_at);
        let change = if random.happens(500) { TopicChange::Recreated } else { TopicChange::PartitionAdded };
        faults.push(PlannedFault { at, action: FaultAction::ChangeTopic(change) });
    }
    faults.retain(|fault| fault.at < bounds.heals_at);
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// Stops and starts all instances after `at`, some of them by a kill.
fn plan_rolling_restart(
    random: &mut SeededRandom,
    faults: &mut Vec<PlannedFault>,
    at: Duration,
    instance_count: usize,
) {
    let second = Duration::from_secs(1);
    for instance in 0..instance_count {
        let ends_at = at + random.duration_between(second / 10, second * 5);
        let is_killed = random.happens(500);
        let end = if is_killed { FaultAction::KillInstance(instance) } else { FaultAction::StopInstance(instance) };
        faults.push(PlannedFault { at: ends_at, action: end });
        let starts_at = ends_at + random.duration_between(second / 2, second * 8);
        faults.push(PlannedFault { at: starts_at, action: FaultAction::StartInstance(instance) });
    }
}

/// Until when an instance is affected by which lasting fault.
#[derive(Clone, Copy, Default, Debug)]
struct InstanceFaults {
    suspended_until: Duration,
    cut_from_group_until: Duration,
    cut_from_store_until: Duration,
    store_hangs_until: Duration,
    cut_from_redis_until: Duration,
    /// How long the creation of the next manifest suspends the process.
    suspension_before_manifest: Option<Duration>,
    armed: Option<ArmedFault>,
}

/// A fault that begins in the middle of a request to a service.
#[derive(Clone, Copy, Debug)]
struct ArmedFault {
    /// The number of requests before it.
    requests_left: u64,
    /// How long it suspends the process; `None` if it ends the process.
    suspends_for: Option<Duration>,
}

/// How often requests go wrong by themselves, in requests of a thousand.
#[derive(Clone, Copy, Default, Debug)]
struct FaultRates {
    store: u64,
    redis: u64,
}

#[derive(Debug, Default)]
struct FaultState {
    now: Duration,
    by_instance: BTreeMap<InstanceIndex, InstanceFaults>,
    redis_refuses_until: Duration,
    redis_refuses_writes_until: Duration,
    copies_stalled_until: Duration,
    has_healed: bool,
    rates: FaultRates,
}

/// The faults that are active now.
#[derive(Debug)]
pub(crate) struct ActiveFaults(Mutex<FaultState>);

impl ActiveFaults {
    /// Chooses how often requests go wrong.
    pub(crate) fn with_random_rates(random: &mut SeededRandom) -> Self {
        let mut rate = || [0, 5, 30, 100][random.index_below(4)];
        let rates = FaultRates { store: rate(), redis: rate() };
        Self(Mutex::new(FaultState { rates, ..FaultState::default() }))
    }

    /// Records the time, which decides which faults are over.
    pub(crate) fn set_time(&self, now: Duration) {
        self.0.lock().now = now;
    }

    /// Begins a fault that lasts.
    pub(crate) fn begin(&self, action: &FaultAction) {
        let mut state = self.0.lock();
        let now = state.now;
        match *action {
            FaultAction::SuspendInstance(instance, lasts) => {
                state.by_instance.entry(instance).or_default().suspended_until = now + lasts;
            }
            FaultAction::CutFromGroup(instance, lasts) => {
                state.by_instance.entry(instance).or_default().cut_from_group_until = now + lasts;
            }
            FaultAction::CutFromStore(instance, lasts) => {
                state.by_instance.entry(instance).or_default().cut_from_store_until = now + lasts;
            }
            FaultAction::HangStore(instance, lasts) => {
                state.by_instance.entry(instance).or_default().store_hangs_until = now + lasts;
            }
            FaultAction::CutFromRedis(instance, lasts) => {
                state.by_instance.entry(instance).or_default().cut_from_redis_until = now + lasts;
            }
            FaultAction::KillAtRequest(instance, requests_left) => {
                let armed = ArmedFault { requests_left, suspends_for: None };
                state.by_instance.entry(instance).or_default().armed = Some(armed);
            }
            FaultAction::SuspendAtRequest(instance, requests_left, lasts) => {
                let armed = ArmedFault { requests_left, suspends_for: Some(lasts) };
                state.by_instance.entry(instance).or_default().armed = Some(armed);
            }
            FaultAction::SuspendBeforeManifest(instance, lasts) => {
                state.by_instance.entry(instance).or_default().suspension_before_manifest = Some(lasts);
            }
            FaultAction::RefuseCommands(lasts) => state.redis_refuses_until = now + lasts,
            FaultAction::RefuseWrites(lasts) => state.redis_refuses_writes_until = now + lasts,
            FaultAction::StallCopies(lasts) => state.copies_stalled_until = now + lasts,
            FaultAction::KillInstance(_)
            | FaultAction::StopInstance(_)
            | FaultAction::StartInstance(_)
            | FaultAction::BreakRedisConnections
            | FaultAction::FailOverRedis(_)
            | FaultAction::EmptyRedis
            | FaultAction::RestartRedis
            | FaultAction::TakeSavepoint(..)
            | FaultAction::DamageNewestCheckpoint
            | FaultAction::DamageAllCheckpoints
            | FaultAction::ChangeTopic(_)
            | FaultAction::ChangePipeline
            | FaultAction::OccupyRowKey
            | FaultAction::ElectLeader { .. } => {}
        }
    }

    /// Counts a request of `instance` to a service. Returns the fault that begins in the middle of it, if any.
    pub(crate) fn count_request(&self, instance: InstanceIndex) -> Option<FaultAction> {
        let mut state = self.0.lock();
        let armed = &mut state.by_instance.get_mut(&instance)?.armed;
        match armed {
            Some(ArmedFault { requests_left: 0, suspends_for }) => {
                let action = suspends_for
                    .map_or(FaultAction::KillInstance(instance), |lasts| FaultAction::SuspendInstance(instance, lasts));
                *armed = None;
                Some(action)
            }
            Some(armed) => {
                armed.requests_left -= 1;
                None
            }
            None => None,
        }
    }

    /// Returns the fault that begins before `instance` creates a manifest, if any.
    pub(crate) fn take_suspension_before_manifest(&self, instance: InstanceIndex) -> Option<FaultAction> {
        let mut state = self.0.lock();
        let lasts = state.by_instance.get_mut(&instance)?.suspension_before_manifest.take()?;
        Some(FaultAction::SuspendInstance(instance, lasts))
    }

    /// Ends all faults for ever.
    pub(crate) fn heal(&self) {
        let mut state = self.0.lock();
        state.by_instance.clear();
        state.redis_refuses_until = Duration::ZERO;
        state.redis_refuses_writes_until = Duration::ZERO;
        state.copies_stalled_until = Duration::ZERO;
        state.has_healed = true;
        state.rates = FaultRates::default();
    }

    /// Returns until when `instance` is suspended; `None` while it is not.
    pub(crate) fn suspended_until(&self, instance: InstanceIndex) -> Option<Duration> {
        let state = self.0.lock();
        let until = state.by_instance.get(&instance)?.suspended_until;
        (until > state.now).then_some(until)
    }

    pub(crate) fn reaches_group(&self, instance: InstanceIndex) -> bool {
        let state = self.0.lock();
        let is_over = |faults: &InstanceFaults| faults.suspended_until.max(faults.cut_from_group_until) <= state.now;
        state.by_instance.get(&instance).is_none_or(is_over)
    }

    pub(crate) fn reaches_redis(&self, instance: InstanceIndex) -> bool {
        let state = self.0.lock();
        state.by_instance.get(&instance).is_none_or(|faults| faults.cut_from_redis_until <= state.now)
    }

    /// Returns whether Redis answers every command with an error.
    pub(crate) fn redis_refuses_commands(&self) -> bool {
        let state = self.0.lock();
        state.redis_refuses_until > state.now
    }

    /// Returns whether Redis answers every write with an error.
    pub(crate) fn redis_refuses_writes(&self) -> bool {
        let state = self.0.lock();
        state.redis_refuses_writes_until > state.now
    }

    /// Returns whether all faults have ended.
    pub(crate) fn have_healed(&self) -> bool {
        self.0.lock().has_healed
    }

    /// Returns until when the replica and the disk of Redis get no writes.
    pub(crate) fn copies_stalled_until(&self) -> Duration {
        self.0.lock().copies_stalled_until
    }

    pub(crate) fn choose_store_fault(&self, core: &SimulationCore, instance: InstanceIndex) -> Option<StoreFaultKind> {
        let state = self.0.lock();
        let faults = state.by_instance.get(&instance).copied().unwrap_or_default();
        if faults.store_hangs_until > state.now {
            return Some(StoreFaultKind::Hangs(faults.store_hangs_until.saturating_sub(state.now)));
        }
        if faults.cut_from_store_until > state.now {
            return Some(StoreFaultKind::FailsWithoutEffect);
        }
        if !core.happens(state.rates.store) {
            return None;
        }
        Some(core.choose_at_random(|random| match random.number_below(4) {
            0 => StoreFaultKind::FailsWithoutEffect,
            1 => StoreFaultKind::FailsWithEffect,
            2 => StoreFaultKind::TakesEffectLater,
            _ => StoreFaultKind::Hangs(random.duration_between(Duration::from_millis(100), Duration::from_secs(5))),
        }))
    }

    pub(crate) fn choose_connection_fault(
        &self,
        core: &SimulationCore,
        instance: InstanceIndex,
    ) -> Option<ConnectionFaultKind> {
        if !self.reaches_redis(instance) {
            return Some(ConnectionFaultKind::BreaksBefore);
        }
        if !core.happens(self.0.lock().rates.redis) {
            return None;
        }
        Some(core.choose_at_random(|random| match random.number_below(3) {
            0 => ConnectionFaultKind::BreaksBefore,
            1 => ConnectionFaultKind::BreaksAfterwards,
            _ => ConnectionFaultKind::ArrivesLate(
                random.duration_between(Duration::from_millis(100), Duration::from_secs(12)),
            ),
        }))
    }
}

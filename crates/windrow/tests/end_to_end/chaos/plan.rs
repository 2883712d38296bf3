//! Which faults happen, and when. The seed decides everything here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::seeded_random::SeededRandom;

/// The number of processes of the job.
pub(crate) const INSTANCES: usize = 3;
/// The instance that has a name in the group.
pub(crate) const NAMED_INSTANCE: usize = 1;

/// Time between two faults of a round. They last longer, so that they overlap.
const FAULT_INTERVAL_MS: u64 = 3_500;
/// Time in which a replica copies the rows of its master before the next fault of Redis.
const REDIS_RECOVERY_MS: u64 = 2_500;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum FaultKind {
    Kill,
    CleanStop,
    /// Shorter than the session timeout.
    BriefSuspension,
    /// Longer than the session timeout, so that other instances take over the partitions.
    LongSuspension,
    /// A replica that lags takes over from its master.
    RedisFailover,
    RedisSuspension,
    RedisDisconnection,
    /// The checkpoint store of one instance does not answer.
    StoreHang,
    /// The checkpoint store of all instances does not answer.
    StoreOutage,
}

impl FaultKind {
    const ALL: [Self; 9] = [
        Self::Kill,
        Self::CleanStop,
        Self::BriefSuspension,
        Self::LongSuspension,
        Self::RedisFailover,
        Self::RedisSuspension,
        Self::RedisDisconnection,
        Self::StoreHang,
        Self::StoreOutage,
    ];
}

/// What becomes of the old master when its replica takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OldMaster {
    /// It was killed, and starts empty.
    Killed,
    /// It still accepts rows from the instances that are redirected last.
    Partitioned,
}

/// One step of a fault. Every fault ends with a step that heals it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FaultStep {
    KillInstance { instance: usize },
    StopInstance { instance: usize },
    StartInstance { instance: usize },
    SuspendInstance { instance: usize },
    ResumeInstance { instance: usize },
    HoldReplication,
    PromoteReplica { old_master: OldMaster },
    RedirectInstance { instance: usize },
    RejoinOldMaster,
    SuspendRedis,
    ResumeRedis,
    DisconnectRedis,
    HoldStore { instance: usize },
    ReleaseStore { instance: usize },
}

impl fmt::Display for FaultStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillInstance { instance } => write!(f, "instance {instance}: killed"),
            Self::StopInstance { instance } => write!(f, "instance {instance}: SIGTERM"),
            Self::StartInstance { instance } => write!(f, "instance {instance}: started"),
            Self::SuspendInstance { instance } => write!(f, "instance {instance}: suspended"),
            Self::ResumeInstance { instance } => write!(f, "instance {instance}: resumed"),
            Self::HoldReplication => write!(f, "Redis: the replica no longer follows"),
            Self::PromoteReplica { old_master: OldMaster::Killed } => {
                write!(f, "Redis: the master is killed, the replica promoted")
            }
            Self::PromoteReplica { old_master: OldMaster::Partitioned } => {
                write!(f, "Redis: the replica is promoted, the old master still accepts rows")
            }
            Self::RedirectInstance { instance } => write!(f, "instance {instance}: reaches the new Redis master"),
            Self::RejoinOldMaster => write!(f, "Redis: the old master becomes the replica"),
            Self::SuspendRedis => write!(f, "Redis: the master is suspended"),
            Self::ResumeRedis => write!(f, "Redis: the master is resumed"),
            Self::DisconnectRedis => write!(f, "Redis: all connections are cut"),
            Self::HoldStore { instance } => write!(f, "instance {instance}: its store hangs"),
            Self::ReleaseStore { instance } => write!(f, "instance {instance}: its store answers again"),
        }
    }
}

pub(crate) struct PlannedStep {
    /// Time since every partition has a checkpoint.
    pub(crate) at: Duration,
    pub(crate) step: FaultStep,
}

pub(crate) struct FaultPlan {
    pub(crate) steps: Vec<PlannedStep>,
    pub(crate) fault_counts: BTreeMap<FaultKind, usize>,
}

/// How long the faults go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlanLength {
    /// Each kind of fault once.
    OneRound,
    /// Rounds until this time is over.
    Rounds(Duration),
}

impl FaultPlan {
    /// Draws a plan from `random`.
    pub(crate) fn draw(length: PlanLength, random: &mut SeededRandom) -> Self {
        let (end_ms, longest_hang_ms) = match length {
            PlanLength::OneRound => (1, 10_000),
            PlanLength::Rounds(time) => (u64::try_from(time.as_millis()).expect("a short time"), 40_000),
        };
        let mut planner = FaultPlanner {
            random,
            longest_hang_ms,
            steps: Vec::new(),
            fault_counts: BTreeMap::new(),
            instances_free_ms: [0; INSTANCES],
            stores_free_ms: [0; INSTANCES],
            redis_free_ms: 0,
        };
        let mut now_ms = 0;
        while now_ms < end_ms {
            for kind in planner.shuffle_kinds() {
                let jitter = planner.random.between(0, FAULT_INTERVAL_MS);
                planner.plan_fault(kind, now_ms + jitter);
                now_ms += FAULT_INTERVAL_MS;
            }
        }
        let FaultPlanner { mut steps, fault_counts, .. } = planner;
        steps.sort_by_key(|planned| planned.at);
        Self { steps, fault_counts }
    }

    /// Returns the time of the last step.
    pub(crate) fn duration(&self) -> Duration {
        self.steps.last().map_or(Duration::ZERO, |planned| planned.at)
    }
}

struct FaultPlanner<'a> {
    random: &'a mut SeededRandom,
    longest_hang_ms: u64,
    steps: Vec<PlannedStep>,
    fault_counts: BTreeMap<FaultKind, usize>,
    /// When the last fault of each instance has ended.
    instances_free_ms: [u64; INSTANCES],
    stores_free_ms: [u64; INSTANCES],
    redis_free_ms: u64,
}

impl FaultPlanner<'_> {
    fn shuffle_kinds(&mut self) -> [FaultKind; FaultKind::ALL.len()] {
        let mut kinds = FaultKind::ALL;
        for last in (1..kinds.len()).rev() {
            kinds.swap(last, self.draw_index(last + 1));
        }
        kinds
    }

    fn draw_index(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).expect("small");
        usize::try_from(self.random.between(0, count)).expect("small")
    }

    fn add_step(&mut self, at_ms: u64, step: FaultStep) {
        self.steps.push(PlannedStep { at: Duration::from_millis(at_ms), step });
    }

    fn plan_fault(&mut self, kind: FaultKind, at_ms: u64) {
        *self.fault_counts.entry(kind).or_default() += 1;
        match kind {
            FaultKind::Kill => {
                // Mostly it starts again before its session times out.
                let (shortest_ms, longest_ms) = if self.draw_index(3) == 0 { (7_000, 10_000) } else { (100, 3_000) };
                let downtime_ms = self.random.between(shortest_ms, longest_ms);
                let instance = self.draw_index(INSTANCES);
                self.plan_instance_fault(
                    at_ms,
                    downtime_ms,
                    instance,
                    [FaultStep::KillInstance { instance }, FaultStep::StartInstance { instance }],
                );
            }
            FaultKind::CleanStop => {
                let downtime_ms = self.random.between(1_000, 8_000);
                let instance = self.draw_index(INSTANCES);
                self.plan_instance_fault(
                    at_ms,
                    downtime_ms,
                    instance,
                    [FaultStep::StopInstance { instance }, FaultStep::StartInstance { instance }],
                );
            }
            FaultKind::BriefSuspension | FaultKind::LongSuspension => {
                let (shortest_ms, longest_ms) =
                    if kind == FaultKind::BriefSuspension { (200, 4_000) } else { (7_000, 13_000) };
                let duration_ms = self.random.between(shortest_ms, longest_ms);
                let instance = self.draw_index(INSTANCES);
                self.plan_instance_fault(
                    at_ms,
                    duration_ms,
                    instance,
                    [FaultStep::SuspendInstance { instance }, FaultStep::ResumeInstance { instance }],
                );
            }
            FaultKind::RedisFailover => self.plan_failover(at_ms),
            FaultKind::RedisSuspension => {
                let at_ms = at_ms.max(self.redis_free_ms);
                let until_ms = at_ms + self.random.between(300, 6_000);
                self.add_step(at_ms, FaultStep::SuspendRedis);
                self.add_step(until_ms, FaultStep::ResumeRedis);
                self.redis_free_ms = until_ms + REDIS_RECOVERY_MS;
            }
            FaultKind::RedisDisconnection => {
                let at_ms = at_ms.max(self.redis_free_ms);
                self.add_step(at_ms, FaultStep::DisconnectRedis);
            }
            FaultKind::StoreHang => {
                let instance = self.draw_index(INSTANCES);
                let longest_ms = if self.draw_index(3) == 0 { self.longest_hang_ms } else { 8_000 };
                let duration_ms = self.random.between(2_000, longest_ms);
                self.plan_store_hang(at_ms, duration_ms, &[instance]);
            }
            FaultKind::StoreOutage => {
                let duration_ms = self.random.between(1_000, 6_000);
                self.plan_store_hang(at_ms, duration_ms, &[0, 1, 2]);
            }
        }
    }

    fn plan_instance_fault(&mut self, at_ms: u64, duration_ms: u64, instance: usize, [first, last]: [FaultStep; 2]) {
        let at_ms = at_ms.max(self.instances_free_ms[instance]);
        self.add_step(at_ms, first);
        self.add_step(at_ms + duration_ms, last);
        self.instances_free_ms[instance] = at_ms + duration_ms + 500;
    }

    fn plan_failover(&mut self, at_ms: u64) {
        let held_ms = at_ms.max(self.redis_free_ms);
        let promoted_ms = held_ms + self.random.between(300, 4_000);
        let old_master = if self.draw_index(2) == 0 { OldMaster::Killed } else { OldMaster::Partitioned };
        self.add_step(held_ms, FaultStep::HoldReplication);
        self.add_step(promoted_ms, FaultStep::PromoteReplica { old_master });
        let mut last_ms = promoted_ms;
        for instance in 0..INSTANCES {
            let redirected_ms = promoted_ms + self.random.between(0, 2_000);
            self.add_step(redirected_ms, FaultStep::RedirectInstance { instance });
            last_ms = last_ms.max(redirected_ms);
        }
        let rejoined_ms = last_ms + self.random.between(100, 1_000);
        self.add_step(rejoined_ms, FaultStep::RejoinOldMaster);
        self.redis_free_ms = rejoined_ms + REDIS_RECOVERY_MS;
    }

    fn plan_store_hang(&mut self, at_ms: u64, duration_ms: u64, instances: &[usize]) {
        let begin_ms = instances.iter().map(|&instance| self.stores_free_ms[instance]).fold(at_ms, u64::max);
        for &instance in instances {
            self.add_step(begin_ms, FaultStep::HoldStore { instance });
            self.add_step(begin_ms + duration_ms, FaultStep::ReleaseStore { instance });
            self.stores_free_ms[instance] = begin_ms + duration_ms + 1_000;
        }
    }
}

//! What a seed simulates beside the faults of every simulation.
//!
//! Owns: the choice of a scenario, and the faults that belong to it. The choice has its own chance, so that a scenario
//! without additions is the same as before these additions existed.

use std::time::Duration;

use crate::faults::{FaultAction, FaultBounds, PlannedFault};
use crate::random::SeededRandom;
use crate::redis_copies::RequiredCopies;

/// Makes the chance of a scenario differ from the chance of the simulation with the same seed. With this number, the seeds
/// that have found faults before (`tests/seeds.rs`) have no additions.
const SCENARIO_SALT: u64 = 0x5EED_0000_0000_0014;
/// How often rows need copies, in simulations of a thousand.
const REQUIRED_COPIES_PER_MILLE: u64 = 300;
/// How often savepoints are taken, in simulations of a thousand.
const SAVEPOINTS_PER_MILLE: u64 = 300;

/// Makes the chance of later additions differ from both. With this number, the seeds that have found faults before have
/// none of them.
const LATER_ADDITIONS_SALT: u64 = 0x5EED_0000_0000_0AB4;
/// How often fewer checkpoints are kept than usual, in simulations of a thousand.
const FEW_KEPT_CHECKPOINTS_PER_MILLE: u64 = 300;
/// How often the producers end long before the faults, so that partitions are idle, in simulations of a thousand.
const EARLY_END_OF_RECORDS_PER_MILLE: u64 = 250;
/// How often instances are suspended just before they create a manifest, in simulations of a thousand.
const SUSPENDED_MANIFESTS_PER_MILLE: u64 = 300;
/// The number of checkpoints that are usually kept for each partition.
const USUALLY_KEPT_CHECKPOINTS: usize = 3;

/// How often Kafka deletes records that were not read, in simulations of a thousand.
const DELETED_RECORDS_PER_MILLE: u64 = 200;

/// What the source says about records that were deleted unread. Only malformed records are deleted, so the rows stay the
/// same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeletedRecords {
    Never,
    /// The source skips them, as with `on_lost_offset = "earliest"`.
    Skipped,
    /// The source reports them as lost, so that the partition is parked.
    Reported,
}

/// Whether savepoints are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SavepointUse {
    Never,
    AtRandom,
}

/// When the producers end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndOfRecords {
    AfterFaults,
    /// Half of the faults meet idle partitions.
    AmidFaults,
}

/// The additions of one simulation.
#[derive(Clone, Debug)]
pub(crate) struct SimulationScenario {
    pub(crate) required_copies: RequiredCopies,
    pub(crate) savepoint_use: SavepointUse,
    pub(crate) deleted_records: DeletedRecords,
    pub(crate) kept_checkpoints: usize,
    pub(crate) end_of_records: EndOfRecords,
    suspends_before_manifests: bool,
    random: SeededRandom,
}

impl SimulationScenario {
    pub(crate) fn choose(seed: u64) -> Self {
        let mut random = SeededRandom::new(seed ^ SCENARIO_SALT);
        let required_copies = if random.happens(REQUIRED_COPIES_PER_MILLE) {
            let kinds = [RequiredCopies::Replica, RequiredCopies::Replica, RequiredCopies::Disk, RequiredCopies::Both];
            kinds[random.index_below(kinds.len())]
        } else {
            RequiredCopies::None
        };
        let savepoint_use =
            if random.happens(SAVEPOINTS_PER_MILLE) { SavepointUse::AtRandom } else { SavepointUse::Never };
        let deleted_records = if !random.happens(DELETED_RECORDS_PER_MILLE) {
            DeletedRecords::Never
        } else if random.happens(500) {
            DeletedRecords::Skipped
        } else {
            DeletedRecords::Reported
        };
        let mut later = SeededRandom::new(seed ^ LATER_ADDITIONS_SALT);
        let kept_checkpoints = if later.happens(FEW_KEPT_CHECKPOINTS_PER_MILLE) {
            1 + later.index_below(2)
        } else {
            USUALLY_KEPT_CHECKPOINTS
        };
        let end_of_records = if later.happens(EARLY_END_OF_RECORDS_PER_MILLE) {
            EndOfRecords::AmidFaults
        } else {
            EndOfRecords::AfterFaults
        };
        let suspends_before_manifests = later.happens(SUSPENDED_MANIFESTS_PER_MILLE);
        Self {
            required_copies,
            savepoint_use,
            deleted_records,
            kept_checkpoints,
            end_of_records,
            suspends_before_manifests,
            random,
        }
    }

    /// Adds the faults of this scenario to `plan`, and replaces those that would break its promises.
    pub(crate) fn complete_plan(&mut self, mut plan: Vec<PlannedFault>, bounds: FaultBounds) -> Vec<PlannedFault> {
        if self.required_copies != RequiredCopies::None {
            self.replace_losses_of_all_copies(&mut plan);
            self.add_faults_of_copies(&mut plan, bounds);
        }
        if self.savepoint_use == SavepointUse::AtRandom {
            self.add_savepoints(&mut plan, bounds);
        }
        if self.suspends_before_manifests {
            self.add_suspensions_before_manifests(&mut plan, bounds);
        }
        plan.retain(|fault| fault.at < bounds.heals_at);
        plan.sort_by_key(|fault| fault.at);
        plan
    }

    /// The fault by which Redis loses what the required copies lack.
    fn loss_of_redis(&mut self) -> FaultAction {
        match self.required_copies {
            RequiredCopies::Disk => FaultAction::RestartRedis,
            RequiredCopies::Both if self.random.happens(500) => FaultAction::RestartRedis,
            _ => FaultAction::FailOverRedis(0),
        }
    }

    fn replace_losses_of_all_copies(&mut self, plan: &mut [PlannedFault]) {
        for fault in plan {
            if matches!(fault.action, FaultAction::EmptyRedis | FaultAction::FailOverRedis(_)) {
                fault.action = self.loss_of_redis();
            }
        }
    }

    /// Most losses happen while the copies lag, so that a wait for them is under way.
    fn add_faults_of_copies(&mut self, plan: &mut Vec<PlannedFault>, bounds: FaultBounds) {
        let second = Duration::from_secs(1);
        for _ in 0..=self.random.number_below(3) {
            let at = self.random.duration_between(2 * second, bounds.heals_at);
            let lag = self.random.duration_between(second / 10, 6 * second);
            plan.push(PlannedFault { at, action: FaultAction::StallCopies(lag) });
            if self.random.happens(700) {
                let lost_at = at + self.random.duration_between(Duration::ZERO, lag);
                plan.push(PlannedFault { at: lost_at, action: self.loss_of_redis() });
            }
        }
        if self.random.happens(400) {
            let at = self.random.duration_between(2 * second, bounds.heals_at);
            let lasts = self.random.duration_between(second / 10, 5 * second);
            plan.push(PlannedFault { at, action: FaultAction::RefuseWrites(lasts) });
            if self.random.happens(500) {
                plan.push(PlannedFault { at: at + lasts / 2, action: self.loss_of_redis() });
            }
        }
    }

    /// Most of these suspensions are long enough that another instance takes the partitions over.
    fn add_suspensions_before_manifests(&mut self, plan: &mut Vec<PlannedFault>, bounds: FaultBounds) {
        let second = Duration::from_secs(1);
        for _ in 0..=self.random.number_below(3) {
            let at = self.random.duration_between(2 * second, bounds.heals_at);
            let instance = self.random.index_below(bounds.instance_count);
            let lasts = self.random.duration_between(5 * second, 25 * second);
            plan.push(PlannedFault { at, action: FaultAction::SuspendBeforeManifest(instance, lasts) });
        }
    }

    /// Half of the savepoints begin shortly before or after another fault.
    fn add_savepoints(&mut self, plan: &mut Vec<PlannedFault>, bounds: FaultBounds) {
        let second = Duration::from_secs(1);
        for _ in 0..=self.random.number_below(3) {
            let mut at = self.random.duration_between(2 * second, bounds.heals_at);
            if !plan.is_empty() && self.random.happens(500) {
                let near = plan[self.random.index_below(plan.len())].at;
                at = (near + self.random.duration_between(Duration::ZERO, 3 * second)).saturating_sub(2 * second);
            }
            let instance = self.random.index_below(bounds.instance_count);
            let timeout = self.random.duration_between(2 * second, 25 * second);
            plan.push(PlannedFault { at, action: FaultAction::TakeSavepoint(instance, timeout) });
        }
    }
}

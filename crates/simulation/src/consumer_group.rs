//! The coordinator of the consumer group: members, heartbeats, assignments and commits.
//!
//! Assignments are cooperative. A partition that moves is first revoked from its owner, and assigned to its new owner
//! when the old owner has released it or was removed from the group. As in `connectors`, a process whose worker does not
//! release a revoked partition in time answers the group all the same, and the worker has lost the partition.
//!
//! Owns: who owns a partition, and the rebalances that members must still hear of. Does not own: when a member asks
//! (`source`), and which instances cannot reach the group (`faults`).
//! Invariant: a partition has at most one owner.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::{Offset, Partition, PartitionOffsets, Wakeup};

use crate::simulation_core::{InstanceProcess, SimulationCore};

/// The coordinator removes a member of which it has not heard for this time.
const SESSION_TIMEOUT: Duration = Duration::from_secs(8);

/// The number of a member. A member that joins again gets a new number.
pub(crate) type MemberNumber = u64;

/// A rebalance of which a member must hear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum GroupRebalance {
    Assigned(Vec<Partition>),
    Revoked(Vec<Partition>),
    /// The process has answered a revocation in place of its worker.
    Lost(Vec<Partition>),
}

#[derive(Debug)]
struct MemberState {
    process: InstanceProcess,
    last_heartbeat: Duration,
    pending_rebalances: VecDeque<GroupRebalance>,
    wakeup: Arc<Wakeup>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PartitionOwnership {
    member: MemberNumber,
    /// The time at which the coordinator has revoked the partition; `None` if it has not.
    revoked_at: Option<Duration>,
}

#[derive(Debug)]
struct CoordinatorState {
    members: BTreeMap<MemberNumber, MemberState>,
    next_member: MemberNumber,
    ownership: BTreeMap<Partition, Option<PartitionOwnership>>,
    committed_offsets: PartitionOffsets,
}

/// The coordinator of the consumer group.
#[derive(Debug)]
pub(crate) struct GroupCoordinator {
    core: Arc<SimulationCore>,
    /// The time after which a process answers a revocation in place of its worker.
    revocation_answer_timeout: Duration,
    state: Mutex<CoordinatorState>,
}

impl GroupCoordinator {
    pub(crate) fn new(core: Arc<SimulationCore>, partition_count: Partition) -> Self {
        let ownership = (0..partition_count).map(|partition| (partition, None)).collect();
        let state = CoordinatorState {
            members: BTreeMap::new(),
            next_member: 1,
            ownership,
            committed_offsets: PartitionOffsets::new(),
        };
        let revocation_answer_timeout = core.duration_between_ms(3_000, 20_000);
        Self { core, revocation_answer_timeout, state: Mutex::new(state) }
    }

    /// Adds a member of `process`. `wakeup` is notified of its rebalances.
    pub(crate) fn join_group(&self, process: InstanceProcess, wakeup: Arc<Wakeup>) -> MemberNumber {
        let mut state = self.state.lock();
        let member = state.next_member;
        state.next_member += 1;
        let last_heartbeat = self.core.now();
        let pending_rebalances = VecDeque::new();
        state.members.insert(member, MemberState { process, last_heartbeat, pending_rebalances, wakeup });
        self.core.record(|| format!("group: member {member} of instance {} joins", process.instance));
        self.rebalance(&mut state);
        member
    }

    /// Removes `member`. Its partitions have no owner until the next rebalance.
    pub(crate) fn remove_member(&self, member: MemberNumber, reason: &str) {
        let mut state = self.state.lock();
        if state.members.remove(&member).is_none() {
            return;
        }
        self.core.record(|| format!("group: member {member} removed ({reason})"));
        for ownership in state.ownership.values_mut() {
            if ownership.is_some_and(|owner| owner.member == member) {
                *ownership = None;
            }
        }
        self.rebalance(&mut state);
    }

    pub(crate) fn is_member(&self, member: MemberNumber) -> bool {
        self.state.lock().members.contains_key(&member)
    }

    pub(crate) fn take_pending_rebalance(&self, member: MemberNumber) -> Option<GroupRebalance> {
        self.state.lock().members.get_mut(&member)?.pending_rebalances.pop_front()
    }

    /// Records that `member` no longer uses `partitions`, which the coordinator had revoked.
    pub(crate) fn release_partitions(&self, member: MemberNumber, partitions: &[Partition]) {
        let mut state = self.state.lock();
        for partition in partitions {
            if let Some(ownership) = state.ownership.get_mut(partition)
                && ownership.is_some_and(|owner| owner.member == member && owner.revoked_at.is_some())
            {
                *ownership = None;
            }
        }
        self.rebalance(&mut state);
    }

    /// Commits `offsets` for `member`. Returns false, and commits nothing, if the member does not own a partition of
    /// them.
    pub(crate) fn commit_offsets(&self, member: MemberNumber, offsets: &PartitionOffsets) -> bool {
        let mut state = self.state.lock();
        let owns = |partition: &Partition| {
            state.ownership.get(partition).copied().flatten().is_some_and(|owner| owner.member == member)
        };
        if !offsets.keys().all(owns) {
            return false;
        }
        state.committed_offsets.extend(offsets);
        true
    }

    pub(crate) fn committed_offset(&self, partition: Partition) -> Option<Offset> {
        self.state.lock().committed_offsets.get(&partition).copied()
    }

    pub(crate) fn forget_committed_offsets(&self) {
        self.state.lock().committed_offsets.clear();
    }

    /// Whether `member` must hear next that it has lost partitions.
    pub(crate) fn has_pending_loss(&self, member: MemberNumber) -> bool {
        let state = self.state.lock();
        let pending = state.members.get(&member).and_then(|member| member.pending_rebalances.front());
        matches!(pending, Some(GroupRebalance::Lost(_)))
    }

    /// Hears from the members of each process for which `reaches_group` returns true, and removes the members of which
    /// it has not heard for [`SESSION_TIMEOUT`]. The processes also answer overdue revocations.
    pub(crate) fn receive_heartbeats(&self, reaches_group: impl Fn(InstanceProcess) -> bool) {
        let now = self.core.now();
        let mut expired = Vec::new();
        for (&number, member) in &mut self.state.lock().members {
            if reaches_group(member.process) {
                member.last_heartbeat = now;
            } else if now.saturating_sub(member.last_heartbeat) >= SESSION_TIMEOUT {
                expired.push(number);
            }
        }
        self.answer_overdue_revocations(&reaches_group);
        expired.into_iter().for_each(|member| self.remove_member(member, "no heartbeat"));
    }

    /// Answers the revocations that workers have not answered in time, for each process that reaches the group.
    fn answer_overdue_revocations(&self, reaches_group: impl Fn(InstanceProcess) -> bool) {
        let now = self.core.now();
        let mut state = self.state.lock();
        let CoordinatorState { members, ownership, .. } = &mut *state;
        let mut answered: BTreeMap<MemberNumber, Vec<Partition>> = BTreeMap::new();
        for (&partition, ownership) in ownership {
            let overdue = ownership.filter(|owner| {
                owner.revoked_at.is_some_and(|at| now.saturating_sub(at) >= self.revocation_answer_timeout)
                    && members.get(&owner.member).is_some_and(|member| reaches_group(member.process))
            });
            if let Some(owner) = overdue {
                answered.entry(owner.member).or_default().push(partition);
                *ownership = None;
            }
        }
        if answered.is_empty() {
            return;
        }
        for (number, partitions) in answered {
            self.core.record(|| format!("group: member {number} has not released {partitions:?} in time"));
            let Some(member) = members.get_mut(&number) else { continue };
            // A worker that has not heard of the revocation hears of the loss instead. Otherwise it hears of the loss before
            // any later rebalance.
            let mut heard_of = partitions.clone();
            for pending in &mut member.pending_rebalances {
                if let GroupRebalance::Revoked(revoked) = pending
                    && revoked.iter().all(|partition| partitions.contains(partition))
                {
                    heard_of.retain(|partition| !revoked.contains(partition));
                    *pending = GroupRebalance::Lost(std::mem::take(revoked));
                }
            }
            if !heard_of.is_empty() {
                member.pending_rebalances.push_front(GroupRebalance::Lost(heard_of));
            }
            member.wakeup.notify();
        }
        self.rebalance(&mut state);
    }

    /// Assigns every partition without owner, and revokes partitions from members that own too many.
    fn rebalance(&self, state: &mut CoordinatorState) {
        let members: Vec<MemberNumber> = state.members.keys().copied().collect();
        if members.is_empty() {
            return;
        }
        let mut assigned: BTreeMap<MemberNumber, Vec<Partition>> = BTreeMap::new();
        let mut revoked: BTreeMap<MemberNumber, Vec<Partition>> = BTreeMap::new();
        for (index, (&partition, ownership)) in state.ownership.iter_mut().enumerate() {
            let target = members[index % members.len()];
            match ownership {
                None => {
                    *ownership = Some(PartitionOwnership { member: target, revoked_at: None });
                    assigned.entry(target).or_default().push(partition);
                }
                Some(owner) if owner.member != target && owner.revoked_at.is_none() => {
                    owner.revoked_at = Some(self.core.now());
                    revoked.entry(owner.member).or_default().push(partition);
                }
                Some(_) => {}
            }
        }
        let announcements = revoked
            .into_iter()
            .map(|(member, partitions)| (member, GroupRebalance::Revoked(partitions)))
            .chain(assigned.into_iter().map(|(member, partitions)| (member, GroupRebalance::Assigned(partitions))));
        for (number, rebalance) in announcements {
            self.core.record(|| format!("group: to member {number}: {rebalance:?}"));
            if let Some(member) = state.members.get_mut(&number) {
                member.pending_rebalances.push_back(rebalance);
                member.wakeup.notify();
            }
        }
    }

    /// Returns the partitions that no member owns and uses.
    pub(crate) fn unsettled_partitions(&self) -> BTreeSet<Partition> {
        let state = self.state.lock();
        let unsettled =
            state.ownership.iter().filter(|(_, owner)| owner.is_none_or(|owner| owner.revoked_at.is_some()));
        unsettled.map(|(&partition, _)| partition).collect()
    }
}

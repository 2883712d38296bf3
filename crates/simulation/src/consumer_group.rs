//! The coordinator of the consumer group: members, heartbeats, assignments and commits.
//!
//! Assignments are cooperative. A partition that moves is first revoked from its owner, and assigned to its new owner
//! when the old owner has released it or was removed from the group.
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
    is_being_revoked: bool,
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
        Self { core, state: Mutex::new(state) }
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
                && ownership.is_some_and(|owner| owner.member == member && owner.is_being_revoked)
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

    /// Hears from the members of each process for which `reaches_group` returns true, and removes the members of which
    /// it has not heard for [`SESSION_TIMEOUT`].
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
        expired.into_iter().for_each(|member| self.remove_member(member, "no heartbeat"));
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
                    *ownership = Some(PartitionOwnership { member: target, is_being_revoked: false });
                    assigned.entry(target).or_default().push(partition);
                }
                Some(owner) if owner.member != target && !owner.is_being_revoked => {
                    owner.is_being_revoked = true;
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
        let unsettled = state.ownership.iter().filter(|(_, owner)| owner.is_none_or(|owner| owner.is_being_revoked));
        unsettled.map(|(&partition, _)| partition).collect()
    }
}

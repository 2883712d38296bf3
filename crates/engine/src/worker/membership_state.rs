//! Whether a worker is a member of its consumer group, and how long it stays away after it has left.

use std::time::Duration;

use crate::checkpoint::StoreProbe;
use crate::{Partition, RetryBackoff};

/// The shortest and the longest time outside of the group. The time doubles each time the worker leaves before it has
/// opened a partition: the store may answer the probe, but not what an opening needs, and each return moves partitions of
/// other workers.
const SHORTEST_ABSENCE: Duration = Duration::from_secs(1);
const LONGEST_ABSENCE: Duration = Duration::from_secs(300);

/// Whether the worker is a member of its consumer group.
#[derive(Debug)]
pub(super) enum MembershipState {
    /// The worker is a member, or its source has no group. `waiting_since` is the time since which no partition is open
    /// and some wait for the store; `None` if this is not so.
    Member { waiting_since: Option<Duration> },
    /// The worker has left the group because it could not open `partition`. It joins again when the store answers, but not
    /// before `rejoin_at`.
    Left { partition: Partition, rejoin_at: Duration, store_probe: Option<StoreProbe> },
}

/// The worker's membership in its consumer group.
#[derive(Debug)]
pub(super) struct GroupPresence {
    pub(super) state: MembershipState,
    /// The pauses before the worker joins the group again.
    pub(super) absence: RetryBackoff,
}

impl Default for GroupPresence {
    fn default() -> Self {
        let state = MembershipState::Member { waiting_since: None };
        Self { state, absence: RetryBackoff::new(SHORTEST_ABSENCE, LONGEST_ABSENCE) }
    }
}

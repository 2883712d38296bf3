//! Checks that every partition is assigned to a member, after a process with an instance name restarted.
//!
//! Such a process gets its partitions back without a rebalance (static membership, KIP-345). A cooperative rebalance has
//! two phases (KIP-429): members revoke partitions, then join again to get them assigned. A process that dies between the
//! phases comes back with what the first phase left it. No member joins again, and the revoked partitions stay unassigned
//! until the next rebalance. So a restarted process checks its group.
//! Owns: the check, and asking one worker to join again, which begins a rebalance. Does not own: when to check.
//! Only the classic protocol needs it: in the new one (KIP-848) the broker tracks unassigned partitions itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use tracing::{debug, warn};
use windrow_engine::{Halt, Partition};
use windrow_spec::KafkaSourceSpec;

use super::assignment;
use crate::kafka::client;
use crate::kafka::client_context::LoggingContext;
use crate::kafka::halts::refuse_client;

/// How long one check may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long partitions may be unassigned. A worker takes at most 15 s to give partitions up (`LEAVE_PATIENCE` in the
/// engine's worker); with more than that, no rebalance in progress is disturbed.
const UNASSIGNED_TIMEOUT: Duration = Duration::from_secs(20);

/// Checks one group until all its partitions were assigned once. Threads may share it.
pub struct GroupMonitor {
    group: String,
    topic: String,
    consumer: BaseConsumer<LoggingContext>,
    unassigned: Mutex<Option<UnassignedPartitions>>,
    /// Every partition was assigned once. A process that leaves partitions unassigned later checks that itself.
    fully_assigned: AtomicBool,
    /// One worker of this process must join again.
    rejoin_requested: AtomicBool,
}

/// Partitions without a member, and since when.
struct UnassignedPartitions {
    partitions: Vec<Partition>,
    since: Instant,
}

impl GroupMonitor {
    /// Creates a monitor of the group in `settings`, which this process is about to join.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(settings: &KafkaSourceSpec) -> Result<Self, Halt> {
        let consumer = client::base_config(&settings.brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| refuse_client(&settings.brokers, error))?;
        Ok(Self {
            group: settings.group.clone(),
            topic: settings.topic.clone(),
            consumer,
            unassigned: Mutex::default(),
            fully_assigned: AtomicBool::new(false),
            rejoin_requested: AtomicBool::new(false),
        })
    }

    /// Checks the group, unless all partitions were assigned before; takes at most about 2 s. The topic has
    /// `partition_count` partitions.
    pub fn check_assignments(&self, partition_count: Partition) {
        if self.fully_assigned.load(Ordering::Relaxed) {
            return;
        }
        // The client's own events are of no interest here, but must not pile up.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let assigned = self.fetch_assigned_partitions().unwrap_or_else(|error| {
            debug!(group = self.group, %error, "the group cannot be checked");
            None
        });
        let mut unread = self.unassigned.lock().unwrap_or_else(PoisonError::into_inner);
        // During a rebalance, or without an answer, the next check decides.
        let Some(assigned) = assigned else {
            *unread = None;
            return;
        };
        let missing: Vec<Partition> = (0..partition_count).filter(|partition| !assigned.contains(partition)).collect();
        if missing.is_empty() {
            self.fully_assigned.store(true, Ordering::Relaxed);
            self.rejoin_requested.store(false, Ordering::Relaxed);
            return;
        }
        match &*unread {
            Some(known) if known.partitions == missing => {
                if known.since.elapsed() >= UNASSIGNED_TIMEOUT {
                    warn!(
                        group = self.group,
                        partitions = ?missing,
                        "partitions have been unassigned for {} s; joining the group again to get them assigned",
                        UNASSIGNED_TIMEOUT.as_secs()
                    );
                    self.rejoin_requested.store(true, Ordering::Relaxed);
                    *unread = None;
                }
            }
            _ => *unread = Some(UnassignedPartitions { partitions: missing, since: Instant::now() }),
        }
    }

    /// Returns whether the calling worker must join again; true once per request.
    pub(crate) fn take_rejoin_request(&self) -> bool {
        self.rejoin_requested.swap(false, Ordering::Relaxed)
    }

    /// Returns the partitions of all members; `None` during a rebalance, or for a group that is not classic.
    fn fetch_assigned_partitions(&self) -> KafkaResult<Option<BTreeSet<Partition>>> {
        let groups = self.consumer.client().fetch_group_list(Some(&self.group), LOOKUP_TIMEOUT)?;
        let Some(group) = groups.groups().iter().find(|group| group.state() == "Stable") else { return Ok(None) };
        let mut assigned = BTreeSet::new();
        for member in group.members() {
            let Some(theirs) = assignment::decode_assignment(member.assignment().unwrap_or_default()) else {
                return Ok(None);
            };
            assigned.extend(theirs.into_iter().filter(|one| one.topic == self.topic).map(|one| one.partition));
        }
        Ok(Some(assigned))
    }
}

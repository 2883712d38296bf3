//! Checks that every partition is assigned to a member, after a process with a static member name restarted.
//!
//! Such a process gets its partitions back without a rebalance (static membership, KIP-345). A cooperative rebalance
//! has two phases (KIP-429): members revoke partitions, then join again to get partitions assigned. If a process dies
//! between the phases, it restarts with the partitions that the first phase left to it. No member joins again, so the
//! revoked partitions stay unassigned until the next rebalance. For that reason a restarted process checks its group.
//! Owns: the check, and the request that one worker joins again, which starts a rebalance. Does not own: when to check.
//! Only the classic protocol needs the check. In the new protocol (KIP-848) the broker tracks unassigned partitions.

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
use crate::kafka::halts::halt_for_refused_client;

/// How long one check of the group may take.
const GROUP_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long partitions may be unassigned before a worker joins again. A worker takes at most 15 s to release partitions
/// (a limit of the engine). The longer timeout ensures that no rebalance in progress is disturbed.
const UNASSIGNED_TIMEOUT: Duration = Duration::from_secs(20);

/// Checks one group until all its partitions have been assigned once. Threads may share a monitor.
pub struct UnassignedPartitionMonitor {
    group: String,
    topic: String,
    consumer: BaseConsumer<LoggingContext>,
    unassigned_at_last_check: Mutex<Option<UnassignedPartitions>>,
    /// Whether every partition has been assigned once. A process that restarts later checks the group itself.
    was_fully_assigned: AtomicBool,
    /// Whether one worker of this process must join again.
    rejoin_requested: AtomicBool,
}

/// Partitions that are assigned to no member.
struct UnassignedPartitions {
    partitions: Vec<Partition>,
    unassigned_since: Instant,
}

impl UnassignedPartitionMonitor {
    /// Creates a monitor of the group in `settings`. The process creates it before it joins the group.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(settings: &KafkaSourceSpec) -> Result<Self, Halt> {
        let consumer = client::base_config(&settings.brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| halt_for_refused_client(&settings.brokers, error))?;
        Ok(Self {
            group: settings.consumer_group.clone(),
            topic: settings.topic.clone(),
            consumer,
            unassigned_at_last_check: Mutex::default(),
            was_fully_assigned: AtomicBool::new(false),
            rejoin_requested: AtomicBool::new(false),
        })
    }

    /// Checks the group, unless all partitions have been assigned before. The topic has `partition_count` partitions.
    /// The check takes at most about 2 s.
    pub fn check_assignments(&self, partition_count: Partition) {
        if self.was_fully_assigned.load(Ordering::Relaxed) {
            return;
        }
        // Polls discard the client's own events, which would fill its queue otherwise.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let assigned = self.fetch_assigned_partitions().unwrap_or_else(|error| {
            debug!(group = self.group, %error, "the group cannot be checked");
            None
        });
        let mut unread = self.unassigned_at_last_check.lock().unwrap_or_else(PoisonError::into_inner);
        // Without an answer, or during a rebalance, the next check decides.
        let Some(assigned) = assigned else {
            *unread = None;
            return;
        };
        let missing: Vec<Partition> = (0..partition_count).filter(|partition| !assigned.contains(partition)).collect();
        if missing.is_empty() {
            self.was_fully_assigned.store(true, Ordering::Relaxed);
            self.rejoin_requested.store(false, Ordering::Relaxed);
            return;
        }
        match &*unread {
            Some(known) if known.partitions == missing => {
                if known.unassigned_since.elapsed() >= UNASSIGNED_TIMEOUT {
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
            _ => *unread = Some(UnassignedPartitions { partitions: missing, unassigned_since: Instant::now() }),
        }
    }

    /// Returns whether the calling worker must join again, and clears the request.
    pub(crate) fn take_rejoin_request(&self) -> bool {
        self.rejoin_requested.swap(false, Ordering::Relaxed)
    }

    /// Returns the partitions assigned to any member; `None` during a rebalance, or for a group that is not classic.
    fn fetch_assigned_partitions(&self) -> KafkaResult<Option<BTreeSet<Partition>>> {
        let groups = self.consumer.client().fetch_group_list(Some(&self.group), GROUP_CHECK_TIMEOUT)?;
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

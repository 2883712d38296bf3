//! After the restart of a process with a static member name, checks that every partition is assigned to a member.
//!
//! A process with a static member name gets its partitions back without a rebalance (static membership, KIP-345). A
//! cooperative rebalance has two phases (KIP-429): members revoke partitions, then join again to get partitions
//! assigned. If a process dies between the two phases, the restarted process gets only the partitions that it did not
//! revoke in the first phase. Then no member joins again, and the revoked partitions stay unassigned until the next
//! rebalance. So a restarted process checks its group.
//! Owns: the check, and the request that one worker joins the group again, which starts a rebalance. Does not own: the
//! decision when to check. Only the classic protocol needs the check. In the new protocol (KIP-848), the broker itself
//! tracks unassigned partitions.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use tracing::{debug, warn};
use windrow_engine::{Halt, Partition};
use windrow_spec::KafkaSourceSpec;

use super::assignment;
use crate::kafka::client_config;
use crate::kafka::client_context::LoggingContext;
use crate::kafka::halts::build_refused_settings_halt;

const GROUP_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long partitions may be unassigned before a worker joins the group again. A normal rebalance ends earlier,
/// because a worker releases its partitions within 15 s (`RELEASE_TIMEOUT` of the engine).
const UNASSIGNED_TIMEOUT: Duration = Duration::from_secs(20);

/// Checks a group for unassigned partitions, until a check finds no unassigned partition. Threads may share a monitor.
pub struct UnassignedPartitionMonitor {
    group: String,
    topic: String,
    consumer: BaseConsumer<LoggingContext>,
    unassigned_at_last_check: Mutex<Option<UnassignedPartitions>>,
    /// Whether a check found every partition assigned. After such a check, this process does not check again. Only a
    /// restarted process can leave partitions unassigned, and that process checks the group itself.
    was_fully_assigned: AtomicBool,
    rejoin_requested: AtomicBool,
}

struct UnassignedPartitions {
    partitions: Vec<Partition>,
    unassigned_since: Instant,
}

impl UnassignedPartitionMonitor {
    /// Creates a monitor of the group in `settings`.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(settings: &KafkaSourceSpec) -> Result<Self, Halt> {
        let consumer = client_config::base_config(&settings.brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| build_refused_settings_halt(&settings.brokers, error))?;
        Ok(Self {
            group: settings.consumer_group.clone(),
            topic: settings.topic.clone(),
            consumer,
            unassigned_at_last_check: Mutex::default(),
            was_fully_assigned: AtomicBool::new(false),
            rejoin_requested: AtomicBool::new(false),
        })
    }

    /// Checks the group, and requests that a worker joins the group again if the same partitions stay unassigned for 20
    /// s. If an earlier call found that all `partition_count` partitions of the topic are assigned, does nothing. A
    /// call takes at most about 2 s.
    pub fn request_rejoin_if_unassigned(&self, partition_count: Partition) {
        if self.was_fully_assigned.load(Ordering::Relaxed) {
            return;
        }
        // This poll discards the client's events, which would otherwise fill the client's queue.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let assigned = self.fetch_assigned_partitions().unwrap_or_else(|error| {
            debug!(group = self.group, %error, "could not fetch the assignments of the group");
            None
        });
        let mut unassigned = self.unassigned_at_last_check.lock();
        // Without an answer, or during a rebalance, the unassigned partitions are unknown. So the 20 s begin again.
        let Some(assigned) = assigned else {
            *unassigned = None;
            return;
        };
        let missing: Vec<Partition> = (0..partition_count).filter(|partition| !assigned.contains(partition)).collect();
        if missing.is_empty() {
            self.was_fully_assigned.store(true, Ordering::Relaxed);
            self.rejoin_requested.store(false, Ordering::Relaxed);
            return;
        }
        match &*unassigned {
            Some(known) if known.partitions == missing => {
                if known.unassigned_since.elapsed() >= UNASSIGNED_TIMEOUT {
                    warn!(
                        group = self.group,
                        partitions = ?missing,
                        "partitions have been unassigned for {} s; joining the group again to get them assigned",
                        UNASSIGNED_TIMEOUT.as_secs()
                    );
                    self.rejoin_requested.store(true, Ordering::Relaxed);
                    *unassigned = None;
                }
            }
            _ => *unassigned = Some(UnassignedPartitions { partitions: missing, unassigned_since: Instant::now() }),
        }
    }

    /// Returns whether the calling worker must join the group again. Clears the request, so that only one worker of the
    /// process joins again.
    pub(crate) fn take_rejoin_request(&self) -> bool {
        self.rejoin_requested.swap(false, Ordering::Relaxed)
    }

    /// Returns the partitions that are assigned to members. Returns `None` during a rebalance, and for a group that
    /// does not use the classic protocol.
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

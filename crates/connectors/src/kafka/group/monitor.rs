//! Whether every partition has somebody who reads it, after a process with a name came back.
//!
//! Such a process gets its partitions back without a rebalance (static membership, KIP-345). A cooperative rebalance has
//! two halves (KIP-429): members are told what to give up, and once they have, they join again and it is shared out. One
//! that ends between the two comes back to what the first half left it; nobody joins again, and what it gave up is
//! nobody's until the next rebalance, whenever that is. So it looks at its group once it is back.
//! Owns: that look, and asking one worker to join again, which begins a rebalance. Does not own: when it is made.
//! Only the classic protocol needs it: in the new one (KIP-848) the broker itself knows what waits for whom.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use tracing::{debug, warn};
use windrow_engine::{Halt, Partition};
use windrow_spec::KafkaSourceSpec as Settings;

use super::assignment;
use crate::kafka::client;
use crate::kafka::client_context::LoggingContext;

/// How long one look may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long partitions may be nobody's: longer than a worker takes at most to give some up (15 s, `engine/worker/moving.rs`),
/// so that neither a rebalance under way nor a worker of ours that joins again is disturbed.
const UNASSIGNED_TIMEOUT: Duration = Duration::from_secs(20);

/// Looks after one group. Threads may share it.
pub struct GroupMonitor {
    group: String,
    topic: String,
    consumer: BaseConsumer<LoggingContext>,
    unassigned: Mutex<Option<UnassignedPartitions>>,
    /// Every partition was somebody's once: from then on, those who leave it to nobody look after that themselves.
    fully_assigned: AtomicBool,
    /// A worker should join again.
    rejoin_requested: AtomicBool,
}

/// Partitions that are nobody's, and since when.
struct UnassignedPartitions {
    partitions: Vec<Partition>,
    since: Instant,
}

impl GroupMonitor {
    /// A guard of the group in `settings`, of which this process is about to become a member.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new(settings: &Settings) -> Result<Self, Halt> {
        let consumer = client::base_config(&settings.brokers)
            .create_with_context(LoggingContext)
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka client: {error}")))?;
        Ok(Self {
            group: settings.group.clone(),
            topic: settings.topic.clone(),
            consumer,
            unassigned: Mutex::default(),
            fully_assigned: AtomicBool::new(false),
            rejoin_requested: AtomicBool::new(false),
        })
    }

    /// Looks at the group, unless all is well already; takes at most some 2 s. The topic has `partitions` partitions.
    pub fn check_assignments(&self, partition_count: Partition) {
        if self.fully_assigned.load(Ordering::Relaxed) {
            return;
        }
        // What the client reports of itself is of no interest here, but must not pile up.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let assigned = self.fetch_assigned_partitions().unwrap_or_else(|error| {
            debug!(group = self.group, %error, "the group cannot be looked at");
            None
        });
        let mut unread = self.unassigned.lock().unwrap_or_else(PoisonError::into_inner);
        // A group that shares out its partitions right now, or says nothing, is looked at again.
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
                        "partitions have been assigned to nobody for {} s; joining the group again, which shares them out",
                        UNASSIGNED_TIMEOUT.as_secs()
                    );
                    self.rejoin_requested.store(true, Ordering::Relaxed);
                    *unread = None;
                }
            }
            _ => *unread = Some(UnassignedPartitions { partitions: missing, since: Instant::now() }),
        }
    }

    /// Whether the worker that asks should join again; only one is told so.
    pub(crate) fn take_rejoin_request(&self) -> bool {
        self.rejoin_requested.swap(false, Ordering::Relaxed)
    }

    /// The partitions that members have; `None` while the group is sharing them out, or is not a classic one.
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

//! While a job runs, checks whether its topic has changed. For a process with an `--instance` name, also checks the
//! consumer group for partitions that no member owns.
//!
//! Owns: the thread that makes the checks. Workers do not make the checks. Kafka may take seconds to answer, and a
//! worker that waits for the answer could not stop meanwhile.
//! Does not own: what the checks test (`TopicMonitor` and `UnassignedPartitionMonitor`).

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use windrow_connectors::kafka::{TopicMonitor, UnassignedPartitionMonitor};
use windrow_engine::Halt;

/// The time between two checks of the topic.
const TOPIC_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The handle of the thread that checks the topic. The thread ends when this handle is dropped, or when a check finds a
/// reason to halt.
pub(crate) struct TopicWatchThread(Arc<OnceLock<Halt>>);

impl TopicWatchThread {
    /// Starts the thread that checks the topic. If the system cannot start a thread, the topic is not checked.
    pub(crate) fn start(topic_monitor: &Arc<TopicMonitor>, group: Option<Arc<UnassignedPartitionMonitor>>) -> Self {
        let found = Arc::default();
        let (topic_monitor, place) = (Arc::clone(topic_monitor), Arc::downgrade(&found));
        let thread = thread::Builder::new()
            .name("topic-watch".to_owned())
            .spawn(move || watch_topic(&topic_monitor, group.as_deref(), &place));
        drop(thread);
        Self(found)
    }

    /// Returns the halt that a check has found, or `None` if no check has found a reason to halt yet.
    pub(crate) fn halt_reason(&self) -> Option<&Halt> {
        self.0.get()
    }
}

fn watch_topic(topic_monitor: &TopicMonitor, group: Option<&UnassignedPartitionMonitor>, place: &Weak<OnceLock<Halt>>) {
    loop {
        thread::sleep(TOPIC_CHECK_INTERVAL);
        let checked = topic_monitor.verify_topic_unchanged();
        if topic_monitor.reachability().ongoing_outage().is_none() {
            topic_monitor.ask_for_unknown_topic_id();
            topic_monitor.refresh_end_offsets();
            if let Some(group) = group {
                group.request_rejoin_if_unassigned(topic_monitor.last_partition_count());
            }
        }
        let Some(place) = place.upgrade() else { return };
        if let Err(halt) = checked {
            place.get_or_init(|| halt);
            return;
        }
    }
}

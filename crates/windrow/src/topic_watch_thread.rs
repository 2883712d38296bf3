//! While a job runs, checks the topic, and for a process with an `--instance` name also the consumer group.
//!
//! Owns: the thread of these checks. No worker makes them, because Kafka may take seconds to respond and must not delay
//! a stop. Does not own: the conditions for a halt (`TopicMonitor` and `UnassignedPartitionMonitor`).

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use windrow_connectors::kafka::{TopicMonitor, UnassignedPartitionMonitor};
use windrow_engine::Halt;

/// The time between two checks of the topic.
const TOPIC_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A thread that checks the topic until this handle is dropped or a check finds a reason to halt.
pub(crate) struct TopicWatchThread(Arc<OnceLock<Halt>>);

impl TopicWatchThread {
    /// Starts the thread that checks the topic. If the system cannot start a thread, the topic is not checked.
    pub(crate) fn start(guard: &Arc<TopicMonitor>, group: Option<Arc<UnassignedPartitionMonitor>>) -> Self {
        let found = Arc::default();
        let (guard, place) = (Arc::clone(guard), Arc::downgrade(&found));
        let thread = thread::Builder::new()
            .name("topic-watch".to_owned())
            .spawn(move || watch_topic(&guard, group.as_deref(), &place));
        drop(thread);
        Self(found)
    }

    /// Returns why the job must halt, or `None` if no check has found a reason yet.
    pub(crate) fn halt_reason(&self) -> Option<&Halt> {
        self.0.get()
    }
}

fn watch_topic(guard: &TopicMonitor, group: Option<&UnassignedPartitionMonitor>, place: &Weak<OnceLock<Halt>>) {
    loop {
        thread::sleep(TOPIC_CHECK_INTERVAL);
        let checked = guard.verify_topic_unchanged();
        if guard.reachability().ongoing_outage().is_none() {
            guard.refresh_end_offsets();
            if let Some(group) = group {
                group.request_rejoin_if_unassigned(guard.last_partition_count());
            }
        }
        let Some(place) = place.upgrade() else { return };
        if let Err(halt) = checked {
            place.get_or_init(|| halt);
            return;
        }
    }
}

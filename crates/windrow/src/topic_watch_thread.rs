//! Checks the topic while a job runs, and the group of a named member.
//!
//! Owns: the thread that checks. It is separate from the workers, since Kafka may take seconds to respond and a stop must not
//! wait for that. Does not own: the conditions for a halt (`TopicMonitor` and `GroupMonitor`).

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use windrow_connectors::kafka::{GroupMonitor, TopicMonitor};
use windrow_engine::Halt;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks until it is dropped, or until it finds a reason to halt.
pub(crate) struct TopicWatchThread(Arc<OnceLock<Halt>>);

impl TopicWatchThread {
    /// Starts the thread. If it cannot start, nothing is checked; then workers cannot start either.
    pub(crate) fn start(guard: &Arc<TopicMonitor>, group: Option<Arc<GroupMonitor>>) -> Self {
        let found = Arc::default();
        let (guard, place) = (Arc::clone(guard), Arc::downgrade(&found));
        let thread = thread::Builder::new()
            .name("topic-watch".to_owned())
            .spawn(move || watch_topic(&guard, group.as_deref(), &place));
        drop(thread);
        Self(found)
    }

    /// Returns why the job must halt, if a check found a reason.
    pub(crate) fn halt_reason(&self) -> Option<&Halt> {
        self.0.get()
    }
}

fn watch_topic(guard: &TopicMonitor, group: Option<&GroupMonitor>, place: &Weak<OnceLock<Halt>>) {
    loop {
        thread::sleep(CHECK_INTERVAL);
        let checked = guard.check();
        if guard.reachability().outage().is_none() {
            guard.refresh_end_offsets();
            if let Some(group) = group {
                group.check_assignments(guard.partition_count());
            }
        }
        let Some(place) = place.upgrade() else { return };
        if let Err(halt) = checked {
            place.get_or_init(|| halt);
            return;
        }
    }
}

//! Looks at the topic while a job runs, and at the group where a process with a name came back to it.
//!
//! On a thread of its own, since Kafka may take seconds to answer and a stop must not wait for that. Does not own: what a
//! topic and a group must not do (their guards).

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use windrow_connectors::kafka::{GroupMonitor, TopicMonitor};
use windrow_engine::Halt;

/// How often it looks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A watch that ends with this value, or with the first thing it finds.
pub(crate) struct TopicWatchThread(Arc<OnceLock<Halt>>);

impl TopicWatchThread {
    /// Begins to watch. Where no thread can be had nothing is watched, which the workers will not fare better with.
    pub(crate) fn start(guard: &Arc<TopicMonitor>, group: Option<Arc<GroupMonitor>>) -> Self {
        let found = Arc::default();
        let (guard, place) = (Arc::clone(guard), Arc::downgrade(&found));
        let thread = thread::Builder::new()
            .name("topic-watch".to_owned())
            .spawn(move || watch_topic(&guard, group.as_deref(), &place));
        drop(thread);
        Self(found)
    }

    /// Why the job must halt, once that is known.
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

//! The thread that tells the others of this instance.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrow_engine::StoreFault;

use super::{parse_object_name, report_object_name, stop_object_name};
use crate::JobServerContext;

/// How often an instance says what it is doing.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);
/// How often it looks whether it is asked to stop.
const STOP_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// What was left over by others is deleted after this long without change.
const SWEEP_AFTER: Duration = Duration::from_secs(600);

/// This instance is telling the others of itself, until [`ReportPublisher::end`].
pub struct ReportPublisher {
    end_sender: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl ReportPublisher {
    /// Begins. Where no thread can be started, this instance is one that the others do not see.
    #[must_use]
    pub fn start(console: &Arc<JobServerContext>) -> Self {
        let (end_sender, ended) = channel();
        let console = Arc::clone(console);
        let publish = move || {
            let mut own = PublisherThread {
                instance: console.own_report().instance,
                console,
                number: 0,
                published_object: None,
                is_failing: false,
            };
            let mut published = None::<Instant>;
            loop {
                own.check_peers();
                if published.is_none_or(|at| at.elapsed() >= PUBLISH_INTERVAL) {
                    published = Some(Instant::now());
                    own.publish_report();
                }
                if ended.recv_timeout(STOP_CHECK_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    own.delete_own_objects();
                    return;
                }
            }
        };
        let thread = Builder::new().name("peers".to_owned()).spawn(publish);
        if let Err(error) = &thread {
            warn!(%error, "no thread to tell other instances of this one");
        }
        Self { end_sender, thread: thread.ok() }
    }

    /// Takes back what this instance said. Waits at most `patience` for the store.
    pub fn withdraw_and_join(mut self, patience: Duration) {
        let _ = self.end_sender.send(());
        let until = Instant::now() + patience;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

struct PublisherThread {
    console: Arc<JobServerContext>,
    instance: String,
    number: u64,
    /// The name of the report that is in the store now.
    published_object: Option<String>,
    is_failing: bool,
}

impl PublisherThread {
    fn check_peers(&mut self) {
        let (peers, store) = (&self.console.peers, &*self.console.checkpoint_store);
        let looked = peers.refresh(store);
        let asked = stop_object_name(&self.instance);
        if looked.is_ok() && peers.lock_known().has_object(&asked) && !self.console.stop_signal.is_requested() {
            info!("another instance asked this one to stop");
            self.console.stop_signal.request();
        }
        let left_over = peers.lock_known().stale_objects(&self.instance, SWEEP_AFTER);
        if looked.is_ok() && !left_over.is_empty() {
            // What cannot be deleted now is there the next time.
            let _ = store.delete(&left_over);
        }
        self.log_store_outcome(looked);
    }

    fn publish_report(&mut self) {
        let store = &*self.console.checkpoint_store;
        let Ok(object) = serde_json::to_vec(&self.console.own_report()) else { return };
        self.number += 1;
        let name = report_object_name(&self.instance, self.number);
        let created = store.create(&name, object);
        if created.is_ok() {
            let before = self.published_object.replace(name);
            // It would be swept by others, ten minutes after this process ended.
            let _ = store.delete(before.as_slice());
        }
        self.log_store_outcome(created);
    }

    /// Leaves nothing of its own behind.
    fn delete_own_objects(&mut self) {
        let store = &*self.console.checkpoint_store;
        let listed = store.list(super::INSTANCES_FOLDER).unwrap_or_default();
        let own = |name: &str| parse_object_name(name).is_some_and(|(instance, _)| instance == self.instance);
        let names: Vec<String> = listed.into_iter().map(|object| object.name).filter(|name| own(name)).collect();
        let _ = store.delete(&names);
    }

    /// Says once that the others cannot be told.
    fn log_store_outcome(&mut self, outcome: Result<(), StoreFault>) {
        match outcome {
            Ok(()) => self.is_failing = false,
            Err(fault) if !self.is_failing => {
                self.is_failing = true;
                warn!(%fault, "other instances cannot be told of this one; tried again every few seconds");
            }
            Err(_) => {}
        }
    }
}

//! The thread that publishes the reports of this instance and reads stop requests.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrow_engine::StoreFault;

use super::known_instances::MAX_PUBLISH_INTERVAL;
use super::object_names::{INSTANCES_FOLDER, parse_object_name, report_object_name, stop_request_object_name};
use crate::server_context::JobServerContext;

/// The time between two reports of an instance while a page is open. Without one, the time doubles with each report up to
/// [`MAX_PUBLISH_INTERVAL`].
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);
/// The time between two checks for a stop request and for open pages of other instances, while a page is open.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The longest time between two such checks.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// This process deletes a report or stop request of another instance if it first saw the object this long ago. The
/// other instance has ended by then, because a live instance replaces its report at least once a minute.
const STALE_OBJECT_AGE: Duration = Duration::from_secs(600);

/// The handle of the thread that publishes the reports of this instance.
pub struct ReportPublisher {
    end_sender: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl ReportPublisher {
    /// Starts the thread. If the thread cannot be started, logs a warning. Then the other instances do not see this
    /// instance.
    #[must_use]
    pub fn start(context: &Arc<JobServerContext>) -> Self {
        let (end_sender, end_receiver) = channel();
        let mut publisher = PublisherThread {
            instance: context.own_report().instance_id,
            context: Arc::clone(context),
            last_report_number: 0,
            published_object: None,
            is_store_failing: false,
        };
        let publish = move || {
            let mut published_at = None::<Instant>;
            let (mut publish_interval, mut check_interval) = (PUBLISH_INTERVAL, CHECK_INTERVAL);
            loop {
                publisher.look_for_peers_and_obey_stop_request();
                if publisher.is_page_open() {
                    (publish_interval, check_interval) = (PUBLISH_INTERVAL, CHECK_INTERVAL);
                } else {
                    check_interval = (check_interval * 2).min(MAX_CHECK_INTERVAL);
                }
                if published_at.is_none_or(|at| at.elapsed() >= publish_interval) {
                    // After a failure, the next check tries again.
                    if publisher.publish_report() == PublishOutcome::Published {
                        let is_first = published_at.replace(Instant::now()).is_none();
                        let doubled = if is_first { publish_interval } else { publish_interval * 2 };
                        publish_interval = doubled.min(MAX_PUBLISH_INTERVAL);
                    }
                }
                if end_receiver.recv_timeout(check_interval) != Err(RecvTimeoutError::Timeout) {
                    publisher.delete_own_objects();
                    return;
                }
            }
        };
        let thread = Builder::new().name("peers".to_owned()).spawn(publish);
        if let Err(error) = &thread {
            warn!(%error, "cannot start the thread that publishes reports; other instances do not see this instance");
        }
        Self { end_sender, thread: thread.ok() }
    }

    /// Tells the thread to delete the reports and stop requests of this instance and to end. Waits for the end of the
    /// thread, but at most for `timeout`.
    pub fn stop_and_delete_own_objects(mut self, timeout: Duration) {
        let _ = self.end_sender.send(());
        let until = Instant::now() + timeout;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Whether the store has taken a report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PublishOutcome {
    Published,
    Failed,
}

struct PublisherThread {
    context: Arc<JobServerContext>,
    instance: String,
    last_report_number: u64,
    /// The name of the object in the store with the newest report of this instance.
    published_object: Option<String>,
    is_store_failing: bool,
}

impl PublisherThread {
    fn is_page_open(&self) -> bool {
        self.context.peers.lock_known_instances().is_page_open(&self.instance)
    }

    /// Lists the objects of all instances, without reading them. Stops this process if another instance has written a
    /// stop request for this instance. Deletes old objects of other instances, and the mark of a closed page.
    fn look_for_peers_and_obey_stop_request(&mut self) {
        let (peers, store) = (&self.context.peers, &*self.context.checkpoint_store);
        let refreshed = peers.refresh_object_names(store);
        peers.renew_mark(store, &self.instance);
        let stop_object = stop_request_object_name(&self.instance);
        if refreshed.is_ok()
            && peers.lock_known_instances().has_object(&stop_object)
            && !self.context.stop_signal.is_requested()
        {
            info!("stopping, because another instance requested it");
            self.context.stop_signal.request();
        }
        let stale = peers.lock_known_instances().stale_object_names(&self.instance, STALE_OBJECT_AGE);
        if refreshed.is_ok() && !stale.is_empty() {
            // If the deletion fails, the next check tries it again.
            let _ = store.delete_objects(&stale);
        }
        self.log_first_store_failure(refreshed);
    }

    fn publish_report(&mut self) -> PublishOutcome {
        let store = &*self.context.checkpoint_store;
        let Ok(object) = serde_json::to_vec(&self.context.own_report()) else { return PublishOutcome::Failed };
        self.last_report_number += 1;
        let name = report_object_name(&self.instance, self.last_report_number);
        let created = store.create_object(&name, object);
        let outcome = if created.is_ok() { PublishOutcome::Published } else { PublishOutcome::Failed };
        if created.is_ok() {
            let previous = self.published_object.replace(name);
            // If the deletion fails, another instance deletes the old report after ten minutes.
            let _ = store.delete_objects(previous.as_slice());
        }
        self.log_first_store_failure(created);
        outcome
    }

    fn delete_own_objects(&mut self) {
        let store = &*self.context.checkpoint_store;
        let listed = store.list_objects(INSTANCES_FOLDER).unwrap_or_default();
        let is_own = |name: &str| parse_object_name(name).is_some_and(|(instance, _)| instance == self.instance);
        let names: Vec<String> =
            listed.into_iter().map(|object| object.object_name).filter(|name| is_own(name)).collect();
        let _ = store.delete_objects(&names);
    }

    /// Logs a failed access to the store, unless the previous access failed as well.
    fn log_first_store_failure(&mut self, outcome: Result<(), StoreFault>) {
        match outcome {
            Ok(()) => self.is_store_failing = false,
            Err(fault) if !self.is_store_failing => {
                self.is_store_failing = true;
                warn!(%fault, "cannot exchange reports through the checkpoint store; retrying every few seconds");
            }
            Err(_) => {}
        }
    }
}

//! The thread that publishes the reports of this instance, and reads requests to stop.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrow_engine::StoreFault;

use super::object_names::{INSTANCES_FOLDER, parse_object_name, report_object_name, stop_object_name};
use crate::server_context::JobServerContext;

/// How often an instance publishes its report.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);
/// How often an instance checks whether it is asked to stop.
const STOP_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Objects of other instances are deleted after this long without a change.
const SWEEP_AFTER: Duration = Duration::from_secs(600);

/// Publishes the reports of this instance until [`Self::withdraw_and_join`].
pub struct ReportPublisher {
    end_sender: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl ReportPublisher {
    /// Starts the thread. If it cannot be started, the other instances do not see this one.
    #[must_use]
    pub fn start(context: &Arc<JobServerContext>) -> Self {
        let (end_sender, end_receiver) = channel();
        let mut publisher = PublisherThread {
            instance: context.own_report().instance,
            context: Arc::clone(context),
            report_number: 0,
            published_object: None,
            is_failing: false,
        };
        let publish = move || {
            let mut published_at = None::<Instant>;
            loop {
                publisher.check_peers();
                if published_at.is_none_or(|at| at.elapsed() >= PUBLISH_INTERVAL) {
                    published_at = Some(Instant::now());
                    publisher.publish_report();
                }
                if end_receiver.recv_timeout(STOP_CHECK_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    publisher.delete_own_objects();
                    return;
                }
            }
        };
        let thread = Builder::new().name("peers".to_owned()).spawn(publish);
        if let Err(error) = &thread {
            warn!(%error, "cannot start the thread that publishes reports; other instances do not see this one");
        }
        Self { end_sender, thread: thread.ok() }
    }

    /// Deletes the objects of this instance. Waits at most `patience` for the store.
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
    context: Arc<JobServerContext>,
    instance: String,
    report_number: u64,
    /// The name of the report that is in the store now.
    published_object: Option<String>,
    is_failing: bool,
}

impl PublisherThread {
    /// Reads the other instances, obeys a request to stop, and deletes what gone instances left behind.
    fn check_peers(&mut self) {
        let (peers, store) = (&self.context.peers, &*self.context.checkpoint_store);
        let refreshed = peers.refresh(store);
        let stop_object = stop_object_name(&self.instance);
        if refreshed.is_ok() && peers.lock_known().has_object(&stop_object) && !self.context.stop_signal.is_requested()
        {
            info!("another instance asked this one to stop");
            self.context.stop_signal.request();
        }
        let stale = peers.lock_known().stale_objects(&self.instance, SWEEP_AFTER);
        if refreshed.is_ok() && !stale.is_empty() {
            // An object that cannot be deleted now is stale the next time, too.
            let _ = store.delete(&stale);
        }
        self.log_store_outcome(refreshed);
    }

    fn publish_report(&mut self) {
        let store = &*self.context.checkpoint_store;
        let Ok(object) = serde_json::to_vec(&self.context.own_report()) else { return };
        self.report_number += 1;
        let name = report_object_name(&self.instance, self.report_number);
        let created = store.create(&name, object);
        if created.is_ok() {
            let previous = self.published_object.replace(name);
            // If this fails, other instances delete it ten minutes after the end of this process.
            let _ = store.delete(previous.as_slice());
        }
        self.log_store_outcome(created);
    }

    fn delete_own_objects(&mut self) {
        let store = &*self.context.checkpoint_store;
        let listed = store.list(INSTANCES_FOLDER).unwrap_or_default();
        let is_own = |name: &str| parse_object_name(name).is_some_and(|(instance, _)| instance == self.instance);
        let names: Vec<String> = listed.into_iter().map(|object| object.name).filter(|name| is_own(name)).collect();
        let _ = store.delete(&names);
    }

    /// Logs the first of several failures in a row.
    fn log_store_outcome(&mut self, outcome: Result<(), StoreFault>) {
        match outcome {
            Ok(()) => self.is_failing = false,
            Err(fault) if !self.is_failing => {
                self.is_failing = true;
                warn!(%fault, "cannot publish the report of this instance; retrying every few seconds");
            }
            Err(_) => {}
        }
    }
}

//! The instances of a job, which find each other through the checkpoint store.
//!
//! ```text
//! instances/0123456789abcdef-0000000041       what that instance said of itself, for the 41st time
//! instances/0123456789abcdef-stop             it is asked to stop
//! ```
//!
//! Owns: these objects; who counts as there. Does not own: what is in a report. In the store because instances share
//! nothing else, and need no address of each other.
//! Invariants: (1) how long somebody has been silent is measured by the reader's clock, as long as it looks; (2) nothing
//! of a checkpoint is touched; (3) nobody waits for the store: a page shows what was known before.
//! After a crash: an instance's objects stay; the others delete them after ten minutes without change.

mod known;
mod thread;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use windrow_engine::{CheckpointStore, StoreFault};

use crate::InstanceReport;
use crate::report::SavepointReport;
use known::KnownInstances;
pub use thread::ReportPublisher;

/// The folder of these objects.
const INSTANCES_FOLDER: &str = "instances";
/// What is known is looked for again after this long.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// How long a page waits for a look.
const PAGE_WAIT_MAX: Duration = Duration::from_millis(300);
/// An instance that was silent for this long counts as gone.
pub const GONE_AFTER: Duration = Duration::from_secs(20);

/// What is known of the other instances. A handle: clones know the same.
#[derive(Clone, Default)]
pub struct PeerInstances(Arc<Mutex<KnownInstances>>);

impl PeerInstances {
    /// The reports of all instances that are there, this one's own among them, by name.
    pub(crate) async fn read_live_reports(&self, store: &Arc<dyn CheckpointStore>) -> Vec<InstanceReport> {
        if self.lock_known().try_begin_refresh(REFRESH_INTERVAL) {
            let (peers, store) = (self.clone(), Arc::clone(store));
            // Goes on behind the page where the store takes longer.
            let _ = timeout(PAGE_WAIT_MAX, tokio::task::spawn_blocking(move || drop(peers.refresh(&*store)))).await;
        }
        self.lock_known().live_reports()
    }

    /// What another instance said of the savepoint `request`.
    pub(crate) fn find_savepoint(&self, request: &str) -> Option<SavepointReport> {
        let there = self.lock_known().live_reports();
        there.into_iter().flat_map(|one| one.savepoints).find(|savepoint| savepoint.request == request)
    }

    /// Asks everybody who is there to stop, but for `own`, who asks.
    pub(crate) fn request_stop_of_others(&self, store: &dyn CheckpointStore, own: &str) {
        if let Err(fault) = self.refresh(store) {
            warn!(%fault, "which other instances there are is not known for sure; those known are asked to stop");
        }
        // Listed first: the lock must be free again.
        let there = self.lock_known().live_reports();
        for one in there.iter().filter(|one| one.instance != own) {
            self.request_stop(store, &one.instance);
        }
    }

    /// Asks `instance` to stop; `false` where nobody who is there is called that.
    pub(crate) fn request_stop(&self, store: &dyn CheckpointStore, instance: &str) -> bool {
        if !self.lock_known().live_reports().iter().any(|one| one.instance == instance) {
            return false;
        }
        match store.create(&stop_object_name(instance), b"stop\n".to_vec()) {
            Ok(()) | Err(StoreFault::Exists) => {}
            Err(fault) => warn!(instance, %fault, "could not be asked to stop"),
        }
        true
    }

    /// Looks who is there, and reads what was not read before.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) fn refresh(&self, store: &dyn CheckpointStore) -> Result<(), StoreFault> {
        let listed = store.list(INSTANCES_FOLDER);
        let news = match &listed {
            Ok(listed) => self.lock_known().note_listed_objects(listed),
            Err(_) => Vec::new(),
        };
        for name in news {
            // Deleted in the meantime: there is a newer one, seen next time.
            if let Ok(Some(object)) = store.read(&name) {
                self.lock_known().record_report(&name, &object);
            }
        }
        self.lock_known().end_refresh();
        listed.map(drop)
    }

    fn lock_known(&self) -> MutexGuard<'_, KnownInstances> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report_object_name(instance: &str, number: u64) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-{number:010}")
}

fn stop_object_name(instance: &str) -> String {
    format!("{INSTANCES_FOLDER}/{instance}-stop")
}

/// The instance that `name` belongs to, and the number of its report, where it is one.
fn parse_object_name(name: &str) -> Option<(&str, Option<u64>)> {
    let (instance, what) = name.strip_prefix(INSTANCES_FOLDER)?.strip_prefix('/')?.rsplit_once('-')?;
    let number = if what == "stop" { None } else { Some(what.parse().ok()?) };
    let good = !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then_some((instance, number))
}

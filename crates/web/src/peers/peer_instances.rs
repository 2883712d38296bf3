//! The other instances of the job, as far as this process knows them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use windrow_engine::{CheckpointStore, StoreFault};

use super::known_instances::KnownInstances;
use super::object_names::{INSTANCES_FOLDER, stop_request_object_name};
use crate::report::{InstanceReport, SavepointReport};

/// A page refreshes the reports only if the last refresh is at least this old.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// The longest time that a page waits for the store.
const PAGE_STORE_WAIT_MAX: Duration = Duration::from_millis(300);

/// The other instances of the job. Clones of this handle share the same data.
#[derive(Clone, Default)]
pub struct PeerInstances(Arc<Mutex<KnownInstances>>);

impl PeerInstances {
    /// Returns the newest reports of all live instances by instance name, including this process.
    pub(crate) async fn read_live_reports(&self, store: &Arc<dyn CheckpointStore>) -> Vec<InstanceReport> {
        if self.lock_known_instances().try_begin_refresh(REFRESH_INTERVAL) {
            let (peers, store) = (self.clone(), Arc::clone(store));
            // If the store is slow, the refresh continues after the timeout.
            let refresh = tokio::task::spawn_blocking(move || drop(peers.refresh_known_instances(&*store)));
            let _ = timeout(PAGE_STORE_WAIT_MAX, refresh).await;
        }
        self.lock_known_instances().live_reports()
    }

    /// Returns the report of another instance about the savepoint with this request name.
    pub(crate) fn find_savepoint_report(&self, request_name: &str) -> Option<SavepointReport> {
        let live = self.lock_known_instances().live_reports();
        live.into_iter().flat_map(|report| report.savepoints).find(|savepoint| savepoint.request == request_name)
    }

    /// Writes a stop request for every live instance except `own_instance`.
    pub(crate) fn request_stop_of_others(&self, store: &dyn CheckpointStore, own_instance: &str) {
        if let Err(fault) = self.refresh_known_instances(store) {
            warn!(%fault, "cannot list the other instances; only those already known are asked to stop");
        }
        // The reports are copied, so that no lock is held during the writes to the store.
        let live = self.lock_known_instances().live_reports();
        for other in live.iter().filter(|report| report.instance != own_instance) {
            Self::write_stop_request(store, &other.instance);
        }
    }

    fn write_stop_request(store: &dyn CheckpointStore, instance: &str) {
        match store.create(&stop_request_object_name(instance), b"stop\n".to_vec()) {
            Ok(()) | Err(StoreFault::Exists) => {}
            Err(fault) => warn!(instance, %fault, "cannot ask an instance to stop"),
        }
    }

    /// Lists the objects of all instances and reads the new reports.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub(super) fn refresh_known_instances(&self, store: &dyn CheckpointStore) -> Result<(), StoreFault> {
        let listed = store.list(INSTANCES_FOLDER);
        let new_reports = match &listed {
            Ok(listed) => self.lock_known_instances().update_objects_and_list_unread_reports(listed),
            Err(_) => Vec::new(),
        };
        for name in new_reports {
            // If the object was deleted meanwhile, a newer report has replaced it, which the next refresh finds.
            if let Ok(Some(object)) = store.read(&name) {
                self.lock_known_instances().record_report(&name, &object);
            }
        }
        self.lock_known_instances().end_refresh();
        listed.map(drop)
    }

    pub(super) fn lock_known_instances(&self) -> MutexGuard<'_, KnownInstances> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

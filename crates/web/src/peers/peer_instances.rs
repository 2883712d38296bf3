//! Reads the reports of the job's other instances, and asks those instances to stop.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::timeout;
use tracing::warn;
use windrow_engine::{CheckpointStore, StoreFault};

use super::known_instances::KnownInstances;
use super::object_names::{INSTANCES_FOLDER, stop_request_object_name};
use crate::report::{InstanceReport, RequestedSavepointReport};

/// A page reads the reports from the checkpoint store only if this process last finished reading them at least this
/// long ago.
const MIN_PAGE_REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// The longest time that a page waits for the checkpoint store.
const MAX_PAGE_STORE_WAIT: Duration = Duration::from_millis(300);

/// The instances of the job whose reports are in the checkpoint store. Clones share the same data.
#[derive(Clone, Default)]
pub struct PeerInstances(Arc<Mutex<KnownInstances>>);

impl PeerInstances {
    /// Returns the newest report of each live instance, including this process, sorted by instance id.
    pub(crate) async fn read_live_reports(&self, store: &Arc<dyn CheckpointStore>) -> Vec<InstanceReport> {
        if self.lock_known_instances().try_begin_refresh(MIN_PAGE_REFRESH_INTERVAL) {
            let (peers, store) = (self.clone(), Arc::clone(store));
            // After the timeout, the refresh continues in the background, so that the next page can show the result of
            // the refresh.
            let refresh = tokio::task::spawn_blocking(move || drop(peers.refresh_reports_and_stop_requests(&*store)));
            let _ = timeout(MAX_PAGE_STORE_WAIT, refresh).await;
        }
        self.lock_known_instances().live_reports()
    }

    /// Returns the report about the savepoint whose request has the name `request_name`, if a live instance has
    /// published such a report.
    pub(crate) fn find_savepoint_report(&self, request_name: &str) -> Option<RequestedSavepointReport> {
        let live = self.lock_known_instances().live_reports();
        live.into_iter()
            .flat_map(|report| report.requested_savepoints)
            .find(|savepoint| savepoint.request_name == request_name)
    }

    /// Writes a stop request for every live instance except `own_instance`.
    pub(crate) fn request_stop_of_others(&self, store: &dyn CheckpointStore, own_instance: &str) {
        if let Err(fault) = self.refresh_reports_and_stop_requests(store) {
            warn!(%fault, "cannot list the other instances; only the known ones are asked to stop");
        }
        // Copy the reports, so that the lock is released before the stop requests are written to the store.
        let live = self.lock_known_instances().live_reports();
        for other in live.iter().filter(|report| report.instance_id != own_instance) {
            Self::write_stop_request(store, &other.instance_id);
        }
    }

    fn write_stop_request(store: &dyn CheckpointStore, instance: &str) {
        match store.create_object(&stop_request_object_name(instance), b"stop\n".to_vec()) {
            Ok(()) | Err(StoreFault::Exists) => {}
            Err(fault) => warn!(instance, %fault, "cannot write the request to stop another instance"),
        }
    }

    /// Lists the reports and stop requests of all instances, and reads the new reports.
    ///
    /// # Errors
    /// Fails if the objects in the store cannot be listed.
    pub(super) fn refresh_reports_and_stop_requests(&self, store: &dyn CheckpointStore) -> Result<(), StoreFault> {
        let listed = store.list_objects(INSTANCES_FOLDER);
        let new_reports = match &listed {
            Ok(listed) => self.lock_known_instances().update_objects_and_list_unread_reports(listed),
            Err(_) => Vec::new(),
        };
        for name in new_reports {
            // An instance deletes its report after it has published a newer one, or at its end. So a listed report may
            // be missing here. The next refresh reads the newer report, if one exists.
            if let Ok(Some(object)) = store.read_object(&name) {
                self.lock_known_instances().record_report(&name, &object);
            }
        }
        self.lock_known_instances().end_refresh();
        listed.map(drop)
    }

    pub(super) fn lock_known_instances(&self) -> MutexGuard<'_, KnownInstances> {
        self.0.lock()
    }
}

//! The task of the thread that takes one savepoint.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use windrow_engine::checkpoint::{SavepointParameters, SavepointProgress, take_savepoint};
use windrow_engine::halt::ErrorChain;
use windrow_engine::{CheckpointStore, StopSignal, SystemClock};

use super::http_savepoint_request::AfterSavepoint;
use super::savepoint_registry::SavepointRegistry;
use crate::peers::peer_instances::PeerInstances;

/// A savepoint fails if the owners of all partitions have not confirmed within this time that it contains their
/// partitions.
const SAVEPOINT_TIMEOUT: Duration = Duration::from_secs(300);
/// The name of a test object. Creating and deleting this object tests whether the location of the savepoint is
/// writable.
const WRITE_PROBE_OBJECT_NAME: &str = "probe";

/// Takes one savepoint, records its outcome, and stops the job if the request says so.
pub(super) struct SavepointTask {
    pub(super) registry: SavepointRegistry,
    pub(super) checkpoint_store: Arc<dyn CheckpointStore>,
    pub(super) target_store: Arc<dyn CheckpointStore>,
    pub(super) stop_signal: StopSignal,
    pub(super) peers: PeerInstances,
    pub(super) own_instance_id: String,
    pub(super) request_name: String,
    pub(super) savepoint_id: String,
    pub(super) after_completion: AfterSavepoint,
}

impl SavepointTask {
    pub(super) fn run(self) {
        // This thread first writes a test object, so that the savepoint fails at once if the location is not writable.
        // Without this test, the owners of all partitions would retry their writes until the savepoint times out. No
        // other savepoint could be taken during this time.
        if let Err(fault) = self.target_store.create_object(WRITE_PROBE_OBJECT_NAME, b"windrow\n".to_vec()) {
            return self.record_failure(format!(
                "the savepoint location {} is not writable: {fault}",
                self.target_store.place()
            ));
        }
        let _ = self.target_store.delete_objects(&[WRITE_PROBE_OBJECT_NAME.to_owned()]);
        let progress = |SavepointProgress { saved_partition_count: saved, partition_count: partitions }| {
            self.registry.lock_requests().record_progress(&self.request_name, saved, partitions);
        };
        let taken = take_savepoint(
            SavepointParameters {
                checkpoint_store: &*self.checkpoint_store,
                target_store: &*self.target_store,
                savepoint_id: &self.savepoint_id,
                confirmation_timeout: SAVEPOINT_TIMEOUT,
                clock: &SystemClock::start(),
                stop_signal: &self.stop_signal,
            },
            progress,
        );
        match taken {
            Ok(_) => self.record_completion(),
            Err(halt) => self.record_failure(ErrorChain(&halt).to_string()),
        }
    }

    fn record_completion(&self) {
        let stops_job = self.after_completion == AfterSavepoint::StopJob;
        info!(
            savepoint = self.savepoint_id,
            location = self.target_store.place(),
            stops_job,
            "savepoint requested over HTTP is complete"
        );
        if stops_job {
            self.peers.request_stop_of_others(&*self.checkpoint_store, &self.own_instance_id);
        }
        // The outcome must be recorded before the stop signal. A stopping process waits for a caller to fetch the
        // outcome only if the outcome is already recorded.
        self.registry.lock_requests().record_outcome(&self.request_name, Ok(()));
        if stops_job {
            self.stop_signal.request();
        }
    }

    fn record_failure(&self, reason: String) {
        warn!(savepoint = self.savepoint_id, reason, "savepoint requested over HTTP failed");
        self.registry.lock_requests().record_outcome(&self.request_name, Err(reason));
    }
}

//! The thread that takes one savepoint.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use windrow_engine::checkpoint::{SavepointParameters, SavepointProgress, take_savepoint};
use windrow_engine::halt::ErrorChain;
use windrow_engine::{CheckpointStore, StopSignal, SystemClock};

use super::registry::SavepointRegistry;
use super::savepoint_order::AfterSavepoint;
use crate::peers::peer_instances::PeerInstances;

/// How long a savepoint may take.
const SAVEPOINT_TIMEOUT: Duration = Duration::from_secs(300);
/// Created and deleted at the target, to find out whether it can be written to.
const PROBE_OBJECT: &str = "probe";

/// Takes one savepoint and records its outcome.
pub(super) struct SavepointTask {
    pub(super) registry: SavepointRegistry,
    pub(super) checkpoint_store: Arc<dyn CheckpointStore>,
    pub(super) target: Arc<dyn CheckpointStore>,
    pub(super) stop_signal: StopSignal,
    pub(super) peers: PeerInstances,
    pub(super) own_instance: String,
    pub(super) request_name: String,
    pub(super) savepoint_id: String,
    pub(super) afterwards: AfterSavepoint,
}

impl SavepointTask {
    pub(super) fn run(self) {
        // Otherwise all owners would retry until the timeout, and block every other savepoint.
        if let Err(fault) = self.target.create(PROBE_OBJECT, b"windrow\n".to_vec()) {
            return self.fail(format!("{} cannot be written to: {fault}", self.target.place()));
        }
        let _ = self.target.delete(&[PROBE_OBJECT.to_owned()]);
        let progress = |SavepointProgress { saved, partitions }| {
            self.registry.lock_requests().record_progress(&self.request_name, saved, partitions);
        };
        let taken = take_savepoint(
            SavepointParameters {
                store: &*self.checkpoint_store,
                target: &*self.target,
                id: &self.savepoint_id,
                timeout: SAVEPOINT_TIMEOUT,
                clock: &SystemClock::start(),
                stop: &self.stop_signal,
            },
            progress,
        );
        match taken {
            Ok(_) => self.complete(),
            Err(halt) => self.fail(ErrorChain(&halt).to_string()),
        }
    }

    fn complete(&self) {
        let stops_job = self.afterwards == AfterSavepoint::StopJob;
        info!(savepoint = self.savepoint_id, location = self.target.place(), stops_job, "savepoint is complete");
        if stops_job {
            self.peers.request_stop_of_others(&*self.checkpoint_store, &self.own_instance);
        }
        // Recorded before the stop: a caller that polls must not find the end of the process first.
        self.registry.lock_requests().record_outcome(&self.request_name, Ok(()));
        if stops_job {
            self.stop_signal.request();
        }
    }

    fn fail(&self, reason: String) {
        warn!(savepoint = self.savepoint_id, reason, "requested savepoint failed");
        self.registry.lock_requests().record_outcome(&self.request_name, Err(reason));
    }
}

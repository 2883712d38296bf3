//! Savepoints: an instance takes one while the others run, and later a new job begins with it.
//!
//! Owns: the operation that takes a savepoint. Does not own: when one is requested (`scenario`), which ones are complete
//! (`savepoint_log`), and the comparison of rows (`oracle`).

use std::sync::Arc;
use std::time::Duration;

use windrow_engine::checkpoint::{SavepointParameters, SavepointSummary, default_savepoint_folder, take_savepoint};
use windrow_engine::halt::{CheckpointStoreFault, ErrorChain, share_error};
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, Halt, StopSignal, StoreFault};

use crate::savepoint_log::CompletedSavepoint;
use crate::services::SimulatedServices;
use crate::simulation_core::{InstanceIndex, VirtualClock};
use crate::store_client::{CHECKPOINT_PLACE, SimulatedStore};

/// Opens the stores of savepoints for one instance.
#[derive(Debug)]
pub(crate) struct SimulatedStoreOpener {
    pub(crate) services: Arc<SimulatedServices>,
    pub(crate) instance: InstanceIndex,
}

impl CheckpointStoreOpener for SimulatedStoreOpener {
    fn open_store(&self, place: &str) -> Result<Arc<dyn CheckpointStore>, StoreFault> {
        let folder = place.strip_prefix(CHECKPOINT_PLACE).and_then(|rest| rest.strip_prefix('/'));
        let folder = folder.ok_or_else(|| StoreFault::Failed(share_error("another place than that of savepoints")))?;
        Ok(Arc::new(SimulatedStore::for_folder(Arc::clone(&self.services), self.instance, folder)))
    }
}

/// Takes a savepoint, as a thread of a process, and notes how it has ended.
pub(crate) fn run_savepoint(services: &Arc<SimulatedServices>, instance: InstanceIndex, timeout: Duration) {
    let savepoint_id = services.savepoints.next_id();
    let log_truncations_before = services.oracle.lock().counts.log_truncations;
    let stop_signal = services.instances[instance].lock().stop_signal.clone();
    services.core.record(|| format!("savepoint {savepoint_id}: requested, at most for {timeout:?}"));
    let outcome = take_simulated_savepoint(services, instance, &savepoint_id, timeout, &stop_signal);
    let mut oracle = services.oracle.lock();
    let completed = match outcome {
        Ok(summary) => {
            services.core.record(|| format!("savepoint {savepoint_id}: complete, {summary:?}"));
            oracle.counts.savepoints += 1;
            Some(CompletedSavepoint { savepoint_id, log_truncations_before })
        }
        Err(halt) => {
            services.core.record(|| format!("savepoint {savepoint_id}: {}", ErrorChain(&halt)));
            oracle.counts.failed_savepoints += 1;
            if matches!(&halt, Halt::CheckpointStore(CheckpointStoreFault::UnreadableSavepoint { .. })) {
                services.core.report_violation(format!("savepoint {savepoint_id}: {}", ErrorChain(&halt)));
            }
            None
        }
    };
    drop(oracle);
    services.savepoints.observe_end(completed);
}

fn take_simulated_savepoint(
    services: &Arc<SimulatedServices>,
    instance: InstanceIndex,
    savepoint_id: &str,
    confirmation_timeout: Duration,
    stop_signal: &StopSignal,
) -> Result<SavepointSummary, Halt> {
    let folder = default_savepoint_folder(savepoint_id);
    let parameters = SavepointParameters {
        checkpoint_store: &SimulatedStore::for_checkpoints(Arc::clone(services), instance),
        target_store: &SimulatedStore::for_folder(Arc::clone(services), instance, &folder),
        savepoint_id,
        confirmation_timeout,
        clock: &VirtualClock(Arc::clone(&services.core)),
        stop_signal,
    };
    take_savepoint(parameters, |_| {})
}

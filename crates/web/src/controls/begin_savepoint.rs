//! Beginning a savepoint, and asking for its state.

use std::sync::Arc;
use std::thread;

use jiff::Timestamp;

use super::location::{LocationRequest, choose_savepoint_location};
use super::refusal::{REQUEST_NAME_LENGTH_MAX, SavepointRefusal};
use super::remembered_savepoints::{Admission, NewSavepoint};
use super::savepoint_order::{AfterSavepoint, SavepointOrder};
use super::savepoint_state::SavepointState;
use super::savepoint_task::SavepointTask;
use crate::random::random_hex_digits;
use crate::server_context::JobServerContext;

impl JobServerContext {
    /// Begins a savepoint and returns the name of the request. A name that is already known begins nothing new.
    ///
    /// # Errors
    /// When the target directory is not allowed, the job is stopping, or too many savepoints are in progress.
    pub fn begin_savepoint(&self, order: SavepointOrder<'_>) -> Result<String, SavepointRefusal> {
        let request_name = match order.request_name {
            None => random_hex_digits(32)?,
            Some(name) if is_valid_request_name(&name) => name,
            Some(_) => return Err(SavepointRefusal::InvalidRequestName),
        };
        let registry = &self.savepoint_registry;
        if registry.lock_requests().contains(&request_name) {
            return Ok(request_name);
        }
        if self.stop_signal.is_requested() {
            return Err(SavepointRefusal::JobIsStopping);
        }
        let savepoint_id = format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), random_hex_digits(4)?);
        let location = choose_savepoint_location(&LocationRequest {
            checkpoint_location: self.checkpoint_store.place(),
            target_directory: order.target_directory,
            pipeline_name: &self.pipeline.name,
            savepoint_id: &savepoint_id,
        })?;
        let target = self.store_opener.open(&location)?;
        let new = NewSavepoint {
            request_name: &request_name,
            location: target.place(),
            stops_job: order.afterwards == AfterSavepoint::StopJob,
        };
        if registry.lock_requests().try_begin(&new) == Admission::TooManyPending {
            return Err(SavepointRefusal::TooManyPending);
        }
        let task = SavepointTask {
            registry: registry.clone(),
            checkpoint_store: Arc::clone(&self.checkpoint_store),
            target,
            stop_signal: self.stop_signal.clone(),
            peers: self.peers.clone(),
            own_instance: self.report_source.report().instance,
            request_name: request_name.clone(),
            savepoint_id,
            afterwards: order.afterwards,
        };
        let started = thread::Builder::new().name("savepoint".to_owned()).spawn(move || task.run());
        if let Err(error) = started {
            let refusal = SavepointRefusal::Thread(error);
            registry.lock_requests().record_outcome(&request_name, Err(refusal.to_string()));
            return Err(refusal);
        }
        Ok(request_name)
    }

    /// Returns the state of a requested savepoint. It may have been requested from another instance: its state is then as
    /// that instance last reported it.
    #[must_use]
    pub fn savepoint_state(&self, request_name: &str) -> Option<SavepointState> {
        let own = self.savepoint_registry.lock_requests().fetch_report(request_name);
        own.or_else(|| self.peers.find_savepoint(request_name)).map(|report| SavepointState::from_report(&report))
    }
}

fn is_valid_request_name(name: &str) -> bool {
    (1..=REQUEST_NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

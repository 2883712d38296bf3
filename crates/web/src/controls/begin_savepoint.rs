//! Begins savepoints that are requested over HTTP, and returns their states.

use std::sync::Arc;
use std::thread;

use jiff::Timestamp;

use super::http_savepoint_request::{AfterSavepoint, HttpSavepointRequest};
use super::remembered_savepoints::{NewSavepointRequest, SavepointAdmission};
use super::savepoint_location::{SavepointLocationRequest, choose_savepoint_location};
use super::savepoint_refusal::{MAX_REQUEST_NAME_CHARS, SavepointRefusal};
use super::savepoint_state::SavepointState;
use super::savepoint_task::SavepointTask;
use crate::random::random_hex_digits;
use crate::server_context::JobServerContext;

impl JobServerContext {
    /// Begins a savepoint in a new thread, and returns the name of the request. If an earlier savepoint request has the
    /// same name, begins no new savepoint and returns this name.
    ///
    /// # Errors
    /// When the target directory is not allowed, the job is stopping, too many savepoints are in progress, or the
    /// location cannot be opened.
    pub fn begin_savepoint(&self, request: HttpSavepointRequest<'_>) -> Result<String, SavepointRefusal> {
        let request_name = match request.request_name {
            None => random_hex_digits(32)?,
            Some(name) if is_valid_request_name(&name) => name,
            Some(_) => return Err(SavepointRefusal::InvalidRequestName),
        };
        let registry = &self.savepoint_registry;
        if registry.lock_requests().contains_request(&request_name) {
            return Ok(request_name);
        }
        if self.stop_signal.is_requested() {
            return Err(SavepointRefusal::JobIsStopping);
        }
        let savepoint_id = format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), random_hex_digits(4)?);
        let location = choose_savepoint_location(&SavepointLocationRequest {
            checkpoint_location: self.checkpoint_store.place(),
            named_locations: &self.pipeline.checkpoint.http_savepoint_locations,
            target_directory: request.target_directory,
            pipeline_name: &self.pipeline.name,
            savepoint_id: &savepoint_id,
        })?;
        let target = self.savepoint_store_opener.open_store(&location)?;
        let new_request = NewSavepointRequest {
            request_name: &request_name,
            location: target.place(),
            stops_job: request.after_completion == AfterSavepoint::StopJob,
        };
        if registry.lock_requests().try_add_request(&new_request) == SavepointAdmission::TooManyPending {
            return Err(SavepointRefusal::TooManyPending);
        }
        let own_instance_id = self.report_source.current_report().instance_id;
        // A caller may ask another instance for the state of the savepoint.
        self.peers.expect_report_requests(&own_instance_id);
        let task = SavepointTask {
            registry: registry.clone(),
            checkpoint_store: Arc::clone(&self.checkpoint_store),
            target_store: target,
            stop_signal: self.stop_signal.clone(),
            peers: self.peers.clone(),
            own_instance_id,
            request_name: request_name.clone(),
            savepoint_id,
            after_completion: request.after_completion,
        };
        let started = thread::Builder::new().name("savepoint".to_owned()).spawn(move || task.run());
        if let Err(error) = started {
            let refusal = SavepointRefusal::CannotStartThread(error);
            registry.lock_requests().record_outcome(&request_name, Err(refusal.to_string()));
            return Err(refusal);
        }
        Ok(request_name)
    }

    /// Returns the state of the savepoint whose request has the name `request_name`. Returns `None` if no known request
    /// has this name. If another instance received the request, the state comes from the last report of that instance.
    /// If this instance received the request and the savepoint has ended, records that a caller has fetched the
    /// outcome.
    #[must_use]
    pub fn look_up_savepoint_state(&self, request_name: &str) -> Option<SavepointState> {
        let own = self.savepoint_registry.lock_requests().get_report_and_mark_fetched(request_name);
        own.or_else(|| self.peers.find_savepoint_report(request_name))
            .map(|report| SavepointState::from_report(&report))
    }
}

fn is_valid_request_name(name: &str) -> bool {
    (1..=MAX_REQUEST_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

//! Savepoints and stops that were asked for over HTTP.
//!
//! Owns: which places a savepoint may go to, the threads that wait for savepoints, what became of them, telling every
//! instance to stop. Does not own: taking a savepoint (the engine), how a process ends (the binary).
//! Invariants: (1) a savepoint goes only to a path, or to the bucket that the checkpoints are in: who gets hold of a page
//! cannot send state elsewhere; (2) outcomes are remembered for the newest [`REMEMBERED`] requests.
//! After a crash: the outcome is lost with the process; a savepoint that was complete is complete.

mod place;
mod remembered;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{info, warn};
use windrow_engine::checkpoint::savepoint;
use windrow_engine::{CheckpointStore, StopSignal};

use crate::JobServerContext;
use crate::peers::PeerInstances;
use crate::report::SavepointReport;
use remembered::RememberedSavepoints;

/// How many requests are remembered.
pub const REMEMBERED_REQUESTS: usize = 50;
/// How long a savepoint may take.
const SAVEPOINT_TIMEOUT: Duration = Duration::from_secs(300);
/// Created and deleted in the place of a savepoint, to see whether it takes anything.
const PROBE_OBJECT: &str = "probe";
/// How many may wait at a time; the store lets only one be taken.
const PENDING_SAVEPOINTS_MAX: usize = 4;
/// How long a process that was stopped with a savepoint answers for the one who asked to hear of it.
const OUTCOME_FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long telling the other instances to stop may take before this one does.
const STOP_OTHERS_TIMEOUT: Duration = Duration::from_secs(3);
/// After the outcome was fetched: time for the answer to get out.
const ANSWER_FLUSH_TIME: Duration = Duration::from_millis(200);

/// Why a request was not accepted; for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct SavepointRefusal(pub String);

/// How a savepoint stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SavepointState {
    /// It is being taken.
    InProgress {
        /// How many partitions are in it.
        saved: usize,
        /// How many there are; 0 while that is not known.
        partitions: usize,
    },
    /// It is whole.
    Completed {
        /// Where it lies.
        location: String,
        /// How many partitions are in it.
        partitions: usize,
    },
    /// There is none.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The requests of this process.
#[derive(Clone, Default)]
pub struct SavepointRegistry(Arc<Mutex<RememberedSavepoints>>);

impl SavepointRegistry {
    /// What became of them, newest first.
    #[must_use]
    pub fn savepoint_reports(&self) -> Vec<SavepointReport> {
        self.lock_requests().reports()
    }

    /// Waits until whoever stopped the job with a savepoint has heard of it, at most ten seconds.
    pub fn wait_until_outcome_fetched(&self) {
        loop {
            let Some(until) = self.lock_requests().keep_serving_until(OUTCOME_FETCH_TIMEOUT, ANSWER_FLUSH_TIME) else {
                return;
            };
            let now = Instant::now();
            if until <= now {
                return;
            }
            thread::sleep((until - now).min(Duration::from_millis(50)));
        }
    }

    fn lock_requests(&self) -> MutexGuard<'_, RememberedSavepoints> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobServerContext {
    /// Begins to take a savepoint, in a new folder within `to` or else beside the checkpoints, and gives the name of the
    /// request: `request`, where the one who asks chose one. Asked again by the same name, nothing new is begun. With
    /// `then_stop`, all instances stop once it is complete; where it fails, they go on.
    ///
    /// # Errors
    /// When it may not go to `to`, or too many are waited for.
    pub fn begin_savepoint(
        &self,
        target_directory: Option<&str>,
        request_name: Option<String>,
        stop_when_complete: bool,
    ) -> Result<String, SavepointRefusal> {
        let request = match request_name {
            None => random_hex_digits(32)?,
            Some(request) if is_valid_request_name(&request) => request,
            Some(_) => {
                return Err(SavepointRefusal("a request is called by 1 to 64 letters, digits, - and _".to_owned()));
            }
        };
        if self.savepoint_registry.lock_requests().contains(&request) {
            return Ok(request);
        }
        if self.stop_signal.is_requested() {
            return Err(SavepointRefusal("the job is stopping".to_owned()));
        }
        let id = format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), random_hex_digits(4)?);
        let location = place::choose_savepoint_location(
            self.checkpoint_store.place(),
            target_directory,
            &self.pipeline.name,
            &id,
        )?;
        let target = self.store_opener.open(&location).map_err(|fault| SavepointRefusal(fault.to_string()))?;
        if !self.savepoint_registry.lock_requests().try_begin(
            &request,
            target.place(),
            stop_when_complete,
            PENDING_SAVEPOINTS_MAX,
        ) {
            return Err(SavepointRefusal(format!(
                "{PENDING_SAVEPOINTS_MAX} savepoints are being waited for; ask again when one is done"
            )));
        }
        let waiter = SavepointTask {
            controls: self.savepoint_registry.clone(),
            store: Arc::clone(&self.checkpoint_store),
            target,
            stop: self.stop_signal.clone(),
            peers: self.peers.clone(),
            own_instance: self.report_source.report().instance,
            request_name: request.clone(),
            savepoint_id: id,
            then_stop: stop_when_complete,
        };
        let started = thread::Builder::new().name("savepoint".to_owned()).spawn(move || waiter.run());
        if let Err(error) = started {
            let reason = format!("no thread can be started: {error}");
            self.savepoint_registry.lock_requests().record_outcome(&request, Err(reason.clone()));
            return Err(SavepointRefusal(reason));
        }
        Ok(request)
    }

    /// How the savepoint stands that was asked for as `request`, here or (as far as it was told) at another instance.
    #[must_use]
    pub fn savepoint_state(&self, request: &str) -> Option<SavepointState> {
        let here = self.savepoint_registry.lock_requests().fetch_report(request);
        here.or_else(|| self.peers.find_savepoint(request)).map(|report| SavepointState::from_report(&report))
    }

    /// Stops all instances of the job. The others hear of it through the checkpoint store, within about two seconds.
    pub fn stop_job(&self) {
        let (store, peers, stop) = (Arc::clone(&self.checkpoint_store), self.peers.clone(), self.stop_signal.clone());
        let own = self.report_source.report().instance;
        let tell = {
            let stop = stop.clone();
            move || {
                // A store that is away must not keep this process going.
                let (told, others) = channel();
                let tell = move || {
                    peers.request_stop_of_others(&*store, &own);
                    let _ = told.send(());
                };
                drop(thread::Builder::new().name("stop-others".to_owned()).spawn(tell));
                let _ = others.recv_timeout(STOP_OTHERS_TIMEOUT);
                info!("the job was stopped over HTTP");
                stop.request();
            }
        };
        if thread::Builder::new().name("stop-job".to_owned()).spawn(tell).is_err() {
            warn!("no thread to tell the other instances to stop; only this one stops");
            stop.request();
        }
    }

    /// Stops one instance of the job: this one, or another through the checkpoint store. `false` where nobody is called
    /// that. Blocks while the store is asked.
    #[must_use]
    pub fn stop_instance(&self, instance: &str) -> bool {
        if self.report_source.report().instance == instance {
            self.stop_signal.request();
            return true;
        }
        self.peers.request_stop(&*self.checkpoint_store, instance)
    }
}

impl SavepointState {
    fn from_report(report: &SavepointReport) -> Self {
        use crate::report::CheckpointStatus;
        match report.status {
            CheckpointStatus::InProgress => Self::InProgress { saved: report.saved, partitions: report.partitions },
            CheckpointStatus::Completed => {
                Self::Completed { location: report.location.clone(), partitions: report.partitions }
            }
            CheckpointStatus::Failed => Self::Failed { reason: report.failure.clone().unwrap_or_default() },
        }
    }
}

/// Waits for one savepoint.
struct SavepointTask {
    controls: SavepointRegistry,
    store: Arc<dyn CheckpointStore>,
    target: Arc<dyn CheckpointStore>,
    stop: StopSignal,
    peers: PeerInstances,
    own_instance: String,
    request_name: String,
    savepoint_id: String,
    then_stop: bool,
}

impl SavepointTask {
    fn run(self) {
        let progress = |saved, all| self.controls.lock_requests().record_progress(&self.request_name, saved, all);
        // A place that takes nothing would keep all owners trying, and everybody else waiting, until time is over.
        if let Err(fault) = self.target.create(PROBE_OBJECT, b"windrow\n".to_vec()) {
            let reason = format!("{} cannot be written to: {fault}", self.target.place());
            warn!(savepoint = self.savepoint_id, reason, "the savepoint that was asked for failed");
            self.controls.lock_requests().record_outcome(&self.request_name, Err(reason));
            return;
        }
        let _ = self.target.delete(&[PROBE_OBJECT.to_owned()]);
        let taken = savepoint::take_savepoint(
            &*self.store,
            &*self.target,
            &self.savepoint_id,
            SAVEPOINT_TIMEOUT,
            &self.stop,
            progress,
        );
        match taken {
            Ok(_) => {
                info!(
                    savepoint = self.savepoint_id,
                    location = self.target.place(),
                    then_stop = self.then_stop,
                    "savepoint taken"
                );
                if self.then_stop {
                    self.peers.request_stop_of_others(&*self.store, &self.own_instance);
                }
                // Before the stop: the one who polls must not find the end of the process first.
                self.controls.lock_requests().record_outcome(&self.request_name, Ok(()));
                if self.then_stop {
                    self.stop.request();
                }
            }
            Err(halt) => {
                warn!(savepoint = self.savepoint_id, reason = %halt, "the savepoint that was asked for failed");
                self.controls.lock_requests().record_outcome(&self.request_name, Err(halt.to_string()));
            }
        }
    }
}

fn is_valid_request_name(request: &str) -> bool {
    (1..=64).contains(&request.len())
        && request.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Hexadecimal digits drawn at random, up to 32.
pub(crate) fn random_hex_digits(digits: usize) -> Result<String, SavepointRefusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| SavepointRefusal(format!("the system gives no random numbers: {error}")))?;
    let mut text = format!("{:032x}", u128::from_be_bytes(bytes));
    text.truncate(digits);
    Ok(text)
}

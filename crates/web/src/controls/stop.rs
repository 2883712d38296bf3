//! Stops all instances of the job when an HTTP request demands it.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use crate::server_context::JobServerContext;

/// The longest time that this instance waits for a thread to write the stop requests to the other instances. After this
/// time, this instance stops in any case.
const STOP_OTHERS_TIMEOUT: Duration = Duration::from_secs(3);

impl JobServerContext {
    /// Begins to stop all instances of the job, and returns at once. The other instances read their stop requests from
    /// the checkpoint store within about ten seconds.
    pub fn begin_job_stop(&self) {
        let (store, peers) = (Arc::clone(&self.checkpoint_store), self.peers.clone());
        let own_instance_id = self.report_source.current_report().instance_id;
        let stop_signal = self.stop_signal.clone();
        let stop_all = move || {
            // A separate thread writes the stop requests, so that an unreachable checkpoint store does not keep this
            // process running.
            let (done, wait) = channel();
            let stop_others = move || {
                peers.request_stop_of_others(&*store, &own_instance_id);
                let _ = done.send(());
            };
            drop(thread::Builder::new().name("stop-others".to_owned()).spawn(stop_others));
            let _ = wait.recv_timeout(STOP_OTHERS_TIMEOUT);
            info!("stop of the job requested over HTTP; this instance stops");
            stop_signal.request();
        };
        if thread::Builder::new().name("stop-job".to_owned()).spawn(stop_all).is_err() {
            warn!("cannot start a thread that stops the other instances; only this instance stops");
            self.stop_signal.request();
        }
    }
}
